"""The batches that a program has taken from a stream, to run steps on them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfcourse.training.programs.result import ProgramResult, ReplayBuffer
from tfcourse.training.programs.tree import map_leaves
from tfcourse.types import Array, Nested, Optional, Tensor

__all__ = [
    "OptionalReplayBuffer",
    "RowReplayBuffer",
    "empty_list",
    "none_for_optionals",
    "with_optional",
]


class ReplayProgram(Protocol):
    """A program that can run one step on a batch again."""

    def replay(self, batch: Nested) -> ProgramResult:
        """Run one step."""


@dataclass(frozen=True)
class OptionalReplayBuffer(ReplayBuffer):
    """Batches in Optionals, as an iterator returns them: a step has the same shapes as before.

    Attributes:
        program: Runs a step on an Optional.
        optionals: A list of them, made with `with_optional`.
        spec: That of a batch.
        count: The number of batches.
    """

    program: ReplayProgram
    optionals: Tensor
    spec: Nested
    count: int

    def __len__(self) -> int:
        return self.count

    def batch(self, number: int) -> Nested:
        """Return one of the batches, as the step sees it."""
        return none_for_optionals(self._optional(number).get_value())

    def replay(self, number: int) -> ProgramResult:
        """Run one step on one of the batches."""
        return self.program.replay(self._optional(number))

    def _optional(self, number: int) -> Any:
        variant = tf.raw_ops.TensorListGetItem(
            input_handle=self.optionals,
            index=number,
            element_shape=_scalar(),
            element_dtype=tf.variant,
        )
        return tf.nest.pack_sequence_as(tf.OptionalSpec(self.spec), [variant], True)


@dataclass(frozen=True)
class RowReplayBuffer(ReplayBuffer):
    """Batches that were read into buffers.

    Attributes:
        program: Runs a step on a batch.
        reads: For every buffer its data, the batches end to end, and their sizes.
    """

    program: ReplayProgram
    reads: Sequence[tuple[Nested, Array]]

    def __len__(self) -> int:
        return sum(len(sizes) for _, sizes in self.reads)

    def batch(self, number: int) -> Nested:
        """Return one of the batches, as the step sees it."""
        for data, sizes in self.reads:
            if number < len(sizes):
                end = int(np.cumsum(sizes)[number])
                rows = slice(end - int(sizes[number]), end)
                return map_leaves(itemgetter(rows), data)
            number -= len(sizes)
        raise IndexError(number)

    def replay(self, number: int) -> ProgramResult:
        """Run one step on one of the batches."""
        return self.program.replay(self.batch(number))


def empty_list(size: int | Tensor) -> Tensor:
    """Return a list with room for ``size`` Optionals, as a tensor.

    A ``TensorArray`` can't leave a function; the list inside it can. The list refers to the
    Optionals, and they to their batches: nothing is copied.
    """
    return tf.raw_ops.TensorListReserve(
        element_shape=_scalar(), num_elements=size, element_dtype=tf.variant
    )


def with_optional(optionals: Tensor, index: Tensor, optional: Optional) -> Tensor:
    """Return the list with an Optional at an index."""
    (variant,) = tf.nest.flatten(optional, expand_composites=True)
    return tf.raw_ops.TensorListSetItem(input_handle=optionals, index=index, item=variant)


def none_for_optionals(batch: Nested) -> Nested:
    """Return a batch, or its specs, with None for each Optional, which Keras's adapters use."""
    optional = (tf.experimental.Optional, tf.OptionalSpec)
    return tf.nest.map_structure(lambda leaf: None if isinstance(leaf, optional) else leaf, batch)


def _scalar() -> Tensor:
    return tf.zeros([0], tf.int32)
