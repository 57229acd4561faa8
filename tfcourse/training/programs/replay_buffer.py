"""The batches that a program has taken from a stream, to run steps on them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfcourse.training.programs.tree import map_leaves

__all__ = [
    "OptionalReplayBuffer",
    "ReplayBuffer",
    "RowReplayBuffer",
    "empty_list",
    "none_for_optionals",
    "with_optional",
]


class ReplayBuffer(Protocol):
    """The batches of one call of a program, in their order."""

    def __len__(self) -> int:
        """How many there are."""

    def batch(self, number: int) -> Any:
        """One of them, as the step sees it."""

    def replay(self, number: int) -> Any:
        """The `ProgramResult` of one step on one of them."""


@dataclass(frozen=True)
class OptionalReplayBuffer(ReplayBuffer):
    """Batches in Optionals, as an iterator gives them: a step has the same shapes as before.

    Attributes:
        program: Runs a step on an Optional.
        optionals: A list of them, made with `with_optional`.
        spec: Of a batch.
        count: How many there are.
    """

    program: Any
    optionals: Any
    spec: Any
    count: int

    def __len__(self) -> int:
        return self.count

    def batch(self, number: int) -> Any:
        """One of them, as the step sees it."""
        return none_for_optionals(self._optional(number).get_value())

    def replay(self, number: int) -> Any:
        """The `ProgramResult` of one step on one of them."""
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

    program: Any
    reads: Sequence[tuple[Any, Any]]

    def __len__(self) -> int:
        return sum(len(sizes) for _, sizes in self.reads)

    def batch(self, number: int) -> Any:
        """One of them, as the step sees it."""
        for data, sizes in self.reads:
            if number < len(sizes):
                end = int(np.cumsum(sizes)[number])
                rows = slice(end - int(sizes[number]), end)
                return map_leaves(itemgetter(rows), data)
            number -= len(sizes)
        raise IndexError(number)

    def replay(self, number: int) -> Any:
        """The `ProgramResult` of one step on one of them."""
        return self.program.replay(self.batch(number))


def empty_list(size: Any) -> Any:
    """A list with room for ``size`` Optionals, as a tensor.

    A ``TensorArray`` can't leave a function; the list of which it is made can. It refers to the
    Optionals, and they to their batches: nothing is copied.
    """
    return tf.raw_ops.TensorListReserve(
        element_shape=_scalar(), num_elements=size, element_dtype=tf.variant
    )


def with_optional(optionals: Any, index: Any, optional: Any) -> Any:
    """The list with an Optional at an index."""
    (variant,) = tf.nest.flatten(optional, expand_composites=True)
    return tf.raw_ops.TensorListSetItem(input_handle=optionals, index=index, item=variant)


def none_for_optionals(batch: Any) -> Any:
    """A batch, or the specs of one, in which Keras's adapters put an Optional for None."""
    optional = (tf.experimental.Optional, tf.OptionalSpec)
    return tf.nest.map_structure(lambda leaf: None if isinstance(leaf, optional) else leaf, batch)


def _scalar() -> Any:
    return tf.zeros([0], tf.int32)
