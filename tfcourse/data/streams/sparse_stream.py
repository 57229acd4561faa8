"""Sets with sparse inputs as streams, whose batches are dense."""

import math

import numpy as np

from tfcourse.data.nested import map_arrays
from tfcourse.data.splits import Part
from tfcourse.data.streams.stream import EpochBatches, Stream, Transform, shuffled_rows
from tfcourse.types import Array, Nested, Tensor

__all__ = ["stream_of_sparse"]


def stream_of_sparse(part: Part) -> Stream:
    """Return a set with sparse inputs as a stream, in the order that arrays in memory have."""

    def batches(size: int, transform: Transform | None = None) -> EpochBatches:
        return _batches(part, size, transform)

    return Stream(batches, part.shape, part.count, {}, "")


def _batches(part: Part, size: int, transform: Transform | None) -> EpochBatches:
    """Return batches whose rows become dense when they are read."""
    import tensorflow as tf

    sides = (part.x, part.y, *([] if part.weight is None else [part.weight]))
    leaves = tf.nest.flatten(sides)
    order = tf.Variable(np.arange(part.count), dtype=tf.int64, trainable=False)

    def load(rows: Array) -> list[Array]:
        return [np.asarray(leaf[rows]) for leaf in leaves]

    def batch(rows: Tensor) -> Nested:
        values = tf.numpy_function(load, [rows], [leaf.dtype for leaf in leaves])
        for value, leaf in zip(values, leaves, strict=True):
            value.set_shape((None, *leaf.shape[1:]))
        structure = tuple(map_arrays(lambda array: 0, side) for side in sides)
        return tf.nest.pack_sequence_as(structure, values)

    def begin(seed: int, epoch: int) -> None:
        order.assign(shuffled_rows(part.count, seed, epoch))

    dataset = (
        tf.data.Dataset.from_tensors(0)
        .flat_map(lambda _: tf.data.Dataset.from_tensor_slices(order.read_value()))
        .batch(size)
        .map(batch)
        .apply(tf.data.experimental.assert_cardinality(math.ceil(part.count / size)))
    )
    dataset = dataset if transform is None else dataset.map(transform)
    return EpochBatches(dataset.prefetch(1), begin=begin)
