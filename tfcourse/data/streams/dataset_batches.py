"""The batches of a ``tf.data.Dataset`` or a ``keras.utils.PyDataset`` of the user's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfcourse.data.nested import array_items
from tfcourse.data.streams.stream import EpochBatches, Transform
from tfcourse.errors import InputError
from tfcourse.types import Dataset, Nested, PyDataset, Tensor

__all__ = ["PyBatches", "Reading", "TensorBatches", "sides_of"]


@dataclass(frozen=True)
class Reading:
    """Settings of how a dataset is read.

    Attributes:
        steps: The batches of an epoch; None for all.
        rebatch: Whether a dataset of batches is put into batches of other sizes.
        shuffle_buffer: The examples, or batches, of which the next one is drawn; None for the
            dataset's own order.
        begin: Brings the dataset itself into the order of an epoch, from (seed, epoch).
    """

    steps: int | None = None
    rebatch: bool = False
    shuffle_buffer: int | None = None
    begin: Callable[[int, int], None] | None = None


class TensorBatches:
    """Batches of a ``tf.data.Dataset``."""

    def __init__(self, name: str, dataset: Dataset, reading: Reading) -> None:
        self.dataset, self.reading = dataset, reading
        self.batched = _is_batched(name, dataset.element_spec)

    @property
    def fixed(self) -> bool:
        """True if the number of batches does not depend on their size."""
        return self.reading.steps is not None or (self.batched and not self.reading.rebatch)

    def check(self, name: str) -> None:
        """Refuse a dataset without an end."""
        endless = int(self.dataset.cardinality()) == -1  # tf.data.INFINITE_CARDINALITY
        if endless and self.reading.steps is None:
            raise InputError(
                f"{name}: the dataset never ends. Give the batches of an epoch: steps_per_epoch "
                "for train, validation_steps for dev and test."
            )

    def batches(self, size: int, transform: Transform | None = None) -> EpochBatches:
        """Return the batches of a size, which a dataset of batches keeps if it may."""
        dataset, reading = self.dataset, self.reading
        begin, length = reading.begin, int(dataset.cardinality())
        if self.batched and reading.rebatch:
            dataset = dataset.unbatch()
        if reading.shuffle_buffer is not None:
            dataset, begin = shuffled(dataset, reading.shuffle_buffer, reading.begin)
            if length > 0 and not (self.batched and reading.rebatch):
                import tensorflow as tf

                dataset = dataset.apply(tf.data.experimental.assert_cardinality(length))
        if not self.batched or reading.rebatch:
            dataset = dataset.batch(size)
        dataset = dataset if transform is None else dataset.map(transform)
        return EpochBatches(dataset.prefetch(1), reading.steps, begin)


def shuffled(
    dataset: Dataset, buffer: int, first: Callable[[int, int], None] | None = None
) -> tuple[Dataset, Callable[[int, int], None]]:
    """Return a dataset in an order drawn from (seed, epoch), and what brings it into that order.

    ``Dataset.shuffle`` takes a number as its seed when it is made; its operation also takes one
    that is read when an iterator begins.

    Args:
        dataset: The dataset, whose order it is before the first epoch.
        buffer: The elements among which the next one is drawn.
        first: Brings the dataset itself into the order of an epoch.
    """
    import tensorflow as tf

    seed = tf.Variable(0, dtype=tf.int64, trainable=False)
    size = tf.Variable(1, dtype=tf.int64, trainable=False)
    leaves = tf.nest.flatten(dataset.element_spec)

    def begin(number: int, epoch: int) -> None:
        seed.assign(np.random.default_rng([number, epoch]).integers(2**31))
        size.assign(buffer)
        if first is not None:
            first(number, epoch)

    def in_order(_: Tensor) -> Dataset:
        variant = tf.raw_ops.ShuffleDataset(
            input_dataset=tf.data.experimental.to_variant(dataset),
            buffer_size=size.read_value(),
            seed=seed.read_value(),
            seed2=tf.constant(1, tf.int64),
            output_types=[leaf.dtype for leaf in leaves],
            output_shapes=[leaf.shape for leaf in leaves],
            reshuffle_each_iteration=False,
        )
        return tf.data.experimental.from_variant(variant, dataset.element_spec)

    return tf.data.Dataset.from_tensors(0).flat_map(in_order), begin


class PyBatches:
    """Batches of a ``keras.utils.PyDataset``, which makes them itself."""

    fixed = True

    def __init__(self, dataset: PyDataset, reading: Reading) -> None:
        self.dataset, self.reading = dataset, reading

    def check(self, name: str) -> None:
        """Refuse one without an end, and other batch sizes than its own."""
        if self.reading.rebatch:
            raise InputError(
                f"{name} is a PyDataset, which makes its own batches: batch_size can't be searched."
            )
        if self.dataset.num_batches is None and self.reading.steps is None:
            raise InputError(
                f"{name}: the PyDataset never ends. Give the batches of an epoch: steps_per_epoch "
                "for train, validation_steps for dev and test."
            )

    def batches(self, size: int, transform: Transform | None = None) -> EpochBatches:
        """Return the batches; ``size`` is not used."""
        from tfcourse.data.streams.ordered_batches import OrderedBatches

        steps = self.reading.steps
        if self.dataset.num_batches is None:
            return EpochBatches(self.dataset, steps, transform=transform)
        ordered = OrderedBatches(self.dataset)
        return EpochBatches(ordered, steps, ordered.begin, transform)


def _is_batched(name: str, spec: Nested) -> bool:
    """Return True if the elements are batches: all parts have a first axis of the same length.

    An axis of unknown length is one; single examples have known shapes.
    """
    x, y, *_ = sides_of(name, spec)
    shapes = [tuple(part.shape) for side in (x, y) for _, part in array_items(side)]
    if any(not shape for shape in shapes):
        return False
    return len({shape[0] for shape in shapes}) == 1


def sides_of(name: str, element: Nested) -> tuple[Any, ...]:
    """Return an element as ``(x, y)`` or ``(x, y, sample_weight)``.

    Raises:
        InputError: It is something else.
    """
    if not isinstance(element, tuple) or len(element) not in (2, 3):
        kind = f"{len(element)} parts" if isinstance(element, tuple) else type(element).__name__
        raise InputError(
            f"{name}: the elements of a dataset must be (x, y) or (x, y, sample_weight). Received: "
            f"{kind}."
        )
    return element
