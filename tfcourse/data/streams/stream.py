"""Sets of examples that are read batch by batch, again in each epoch."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from tfcourse.data.nested import Arrays, map_arrays
from tfcourse.data.splits import Part
from tfcourse.errors import InputError
from tfcourse.types import Array, Dataset, Nested, Tensor

__all__ = ["EpochBatches", "Stream", "Transform", "batches_of", "shuffled_rows"]

# Takes a batch, (x, y) or (x, y, sample_weight), and returns another one of as many examples.
Transform = Callable[..., Nested]


def shuffled_rows(count: int, seed: int, epoch: int) -> "npt.NDArray[np.int64]":
    """Return the order of an epoch's rows, a permutation drawn from (seed, epoch) alone."""
    return np.random.default_rng([seed, epoch]).permutation(count)


@dataclass(frozen=True)
class EpochBatches:
    """The batches of every epoch, for `tfcourse.fit`.

    Attributes:
        dataset: A ``tf.data.Dataset`` or a ``keras.utils.PyDataset``.
        steps: The batches of an epoch, of a dataset that never ends; None for all of them.
        begin: Brings the dataset into the order of an epoch, from its seed and number; the next
            iterator has it. None if the order is the dataset's own.
        transform: A function for each batch, for a ``PyDataset``; others have it as a ``map``.
    """

    dataset: Dataset
    steps: int | None = None
    begin: Callable[[int, int], None] | None = None
    transform: Transform | None = None


class Stream(Part):
    """Examples of a set that are read batch by batch, and never all in memory.

    Args:
        batches: Returns the batches of a size, with a function applied to each.
        shape: The shape of one example; a dict by name for several inputs.
        count: The number of examples of an epoch.
        record: Describes the data in ``data.json``, by the name of an entry.
        digest: A hash of the contents as far as they are compared, see the source.
        steps: The batches of an epoch, if they are the same for each size.
        transform: The function that is applied to each batch; None for none.
    """

    def __init__(
        self,
        batches: Callable[[int, Transform | None], EpochBatches],
        shape: Any,
        count: int,
        record: Mapping[str, Any],
        digest: str,
        steps: int | None = None,
        transform: Transform | None = None,
    ) -> None:
        self.__dict__.update(
            source=batches,
            example_shape=shape,
            number=count,
            record=record,
            digest=digest,
            steps=steps,
            transform=transform,
            by_size={},
        )

    source: Callable[[int, Transform | None], EpochBatches]
    example_shape: Any
    number: int
    record: Mapping[str, Any]
    digest: str
    steps: int | None
    transform: Transform | None
    by_size: dict[int, EpochBatches]

    @property
    def x(self) -> NoReturn:
        """Raise InputError: the examples are not in memory."""
        raise _not_in_memory()

    @property
    def y(self) -> NoReturn:
        """Raise InputError: the targets are not in memory."""
        raise _not_in_memory()

    @property
    def weight(self) -> NoReturn:
        """Raise InputError: the weights are not in memory."""
        raise _not_in_memory()

    @property
    def shape(self) -> Any:
        """The shape of one example."""
        return self.example_shape

    @property
    def count(self) -> int:
        """The number of examples of an epoch."""
        return self.number

    def batches(self, size: int) -> int:
        """Return the number of batches of an epoch, of which the last may be smaller."""
        return self.steps or math.ceil(self.number / size)

    def of_size(self, size: int) -> EpochBatches:
        """Return the batches of a size; the same object for every training."""
        if size not in self.by_size:
            self.by_size[size] = self.source(size, self.transform)
        return self.by_size[size]

    def first(self, size: int) -> Nested:
        """Return the first batch of a size, before any shuffling."""
        return next(batches_of(self.of_size(size)))

    def rows(self, which: "npt.NDArray[np.generic] | slice") -> Part:
        """Return the first examples in memory; ``which`` must be ``slice(number)``.

        Raises:
            InputError: It is another choice of examples.
        """
        if not isinstance(which, slice) or which.start or which.step or which.stop is None:
            raise _not_in_memory()
        parts = list[Part]()
        for batch in batches_of(self.of_size(min(which.stop, self.number))):
            parts.append(Part(*(map_arrays(np.asarray, side) for side in batch)))
            if sum(part.count for part in parts) >= which.stop:
                break
        return _cut(parts, which.stop)

    def identified(self, record: Mapping[str, Any], digest: str) -> "Stream":
        """Return the set with another record and digest."""
        return Stream(
            self.source,
            self.example_shape,
            self.number,
            record,
            digest,
            self.steps,
            self.transform,
        )

    def with_transform(self, transform: Transform, shape: Any = None) -> "Stream":
        """Return the set with a function applied to each batch, after those it has.

        Args:
            transform: The function.
            shape: The shape of one example that it returns; None if it stays.
        """
        first = self.transform

        def both(*batch: Nested) -> Nested:
            return transform(*first(*batch)) if first else transform(*batch)

        shape = self.example_shape if shape is None else shape
        parts = (self.source, shape, self.number, self.record, self.digest, self.steps)
        return Stream(*parts, transform=both)

    def with_x(self, function: Callable[[Array], Arrays]) -> "Stream":
        """Return the set with the result of a function for the x of each batch.

        Args:
            function: Takes rows of x, and returns an array, or a dict of arrays, of as many; texts
                are objects.
        """
        sample = function(np.zeros((1, *self.example_shape), np.float32))
        shape = map_arrays(lambda array: array.shape[1:], sample)

        def transform(x: Tensor, *others: Nested) -> Nested:
            import tensorflow as tf

            leaves = tf.nest.flatten(sample)
            kinds = [tf.string if leaf.dtype == object else leaf.dtype for leaf in leaves]
            values = tf.numpy_function(lambda rows: tf.nest.flatten(function(rows)), [x], kinds)
            for value, leaf in zip(values, leaves, strict=True):
                value.set_shape((None, *leaf.shape[1:]))
            return (tf.nest.pack_sequence_as(sample, values), *others)

        return self.with_transform(transform, shape)


def batches_of(batches: EpochBatches) -> Iterator[Nested]:
    """Yield the batches of an epoch as ``(x, y)`` or ``(x, y, sample_weight)``."""
    dataset = batches.dataset
    if hasattr(dataset, "num_batches"):  # a PyDataset
        own = (dataset[number] for number in range(batches.steps or dataset.num_batches))
        return own if batches.transform is None else (batches.transform(*batch) for batch in own)
    return iter(dataset if batches.steps is None else dataset.take(batches.steps))


def _cut(parts: list[Part], count: int) -> Part:
    def side(*arrays: Arrays) -> Arrays:
        return map_arrays(lambda *several: np.concatenate(several)[:count], *arrays)

    weights = [part.weight for part in parts if part.weight is not None]
    weight = side(*weights) if weights else None
    return Part(side(*(part.x for part in parts)), side(*(part.y for part in parts)), weight)


def _not_in_memory() -> InputError:
    return InputError(
        "the examples are streamed and not in memory, which this needs. Give a source in memory "
        "(npz, csv, arrays), or leave the setting out."
    )
