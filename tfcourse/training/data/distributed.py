"""Datasets that a ``tf.distribute`` strategy has split among its replicas, as whole batches."""

import math
from collections.abc import Iterator

import tensorflow as tf

from tfcourse.errors import InputError
from tfcourse.internals.data import dataset_strategy
from tfcourse.types import Dataset, Nested, Tensor

__all__ = ["whole_batches"]


def whole_batches(dataset: Dataset) -> Dataset:
    """Return a dataset of the batches of which each replica was to get a part.

    A step divides every batch among the replicas itself, with weights by which the numbers are
    those of the whole batch on one device. So it does not matter how the batch was divided before.

    Args:
        dataset: What ``strategy.experimental_distribute_dataset`` or
            ``strategy.distribute_datasets_from_function`` returns.

    Raises:
        InputError: The strategy spans several machines, where this process sees only its own part
            of a batch; or the dataset holds something other than dense tensors.
    """
    strategy = dataset_strategy(dataset)
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise InputError(
            "A dataset distributed over several machines can't be taken: pass the dataset itself, "
            "with whole batches, on every machine. Each machine takes its part of every batch."
        )
    replicas = strategy.num_replicas_in_sync
    specs = [
        tf.nest.flatten(spec, expand_composites=True)
        for spec in tf.nest.flatten(dataset.element_spec)
    ]
    if not all(len(parts) == replicas for parts in specs):
        raise InputError(
            "A distributed dataset must hold dense tensors. Received other ones: pass the dataset "
            "itself, with whole batches."
        )
    whole = [tf.TensorSpec([None, *parts[0].shape[1:]], parts[0].dtype) for parts in specs]

    def batches() -> Iterator[Nested]:
        for batch in dataset:
            yield tf.nest.map_structure(_joined, batch)

    signature = tf.nest.pack_sequence_as(dataset.element_spec, whole)
    joined = tf.data.Dataset.from_generator(batches, output_signature=signature)
    steps = int(dataset.cardinality)
    if steps == tf.data.UNKNOWN_CARDINALITY:
        return joined
    if steps > 0 and type(dataset).__name__ == "DistributedDatasetsFromFunction":
        # It counts the batches of the function, of which each replica takes one in every step.
        steps = math.ceil(steps / replicas)
    return joined.apply(tf.data.experimental.assert_cardinality(steps))


def _joined(parts: Nested) -> Tensor:
    """Return the replicas' parts of a tensor end to end."""
    if not isinstance(parts, tf.distribute.DistributedValues):  # of a single replica
        return parts
    with tf.device("CPU:0"):
        return tf.concat(parts.values, axis=0)
