"""Data of any kind that Keras takes, as a stream of batches, through Keras's adapters."""

from collections.abc import Callable
from functools import partial

import keras
import tensorflow as tf

from tfcourse.data.streams.stream import EpochBatches
from tfcourse.errors import InputError
from tfcourse.internals.data import can_convert_arrays, get_data_adapter
from tfcourse.training.data.arrays import refuse_lists, sparse_by_rows
from tfcourse.training.data.distributed import whole_batches
from tfcourse.training.data.feeds import StreamFeed
from tfcourse.types import ClassWeight, Nested

__all__ = ["epoch_stream", "stream_of"]


def stream_of(
    data: Nested,
    steps: int | None,
    steps_argument: str,
    shuffle: bool = False,
    class_weight: ClassWeight | None = None,
    reset: bool = True,
    once: bool = False,
    batch_size: int | None = None,
    begin: Callable[[int], None] | None = None,
    transform: Callable[..., Nested] | None = None,
) -> StreamFeed:
    """Return a feed of any data that Keras takes, except for dense arrays in memory.

    Args:
        data: ``(x, y, sample_weight)``; y and sample_weight are None where x holds them.
        steps: The steps of an epoch; None for all.
        steps_argument: The name of the caller's argument for ``steps``, for the message.
        shuffle: Whether Keras shuffles the batches of a ``PyDataset``, or sparse arrays.
        class_weight: A weight for every class.
        reset: Whether a ``PyDataset``'s ``on_epoch_end`` is called before the first epoch, as
            ``model.fit`` and ``model.evaluate`` do; ``model.predict`` does not.
        once: Whether there is one epoch only.
        batch_size: The examples of a step, for sparse arrays.
        begin: Brings the data into the order of an epoch, from its number; None for none.
        transform: A function for each batch; None for none.

    Raises:
        InputError: Keras does not take such data, it is empty, a list of numbers or a dataset
            distributed over several machines, or it is infinite and ``steps`` is None.
    """
    x, y, sample_weight = data
    if x is None:
        raise InputError("x is missing: pass the examples, or a dataset of them.")
    refuse_lists(x=x, y=y, sample_weight=sample_weight)
    if isinstance(x, tf.distribute.DistributedDataset):
        x = whole_batches(x)
    x, y, sample_weight = data = sparse_by_rows((x, y, sample_weight))
    infinite = steps is None and (
        (isinstance(x, tf.data.Dataset) and int(x.cardinality()) == tf.data.INFINITE_CARDINALITY)
        or (isinstance(x, keras.utils.PyDataset) and x.num_batches is None)
    )
    if infinite:
        raise InputError(f"The data never ends: set the length of an epoch with {steps_argument}.")
    finite = isinstance(x, keras.utils.PyDataset) and x.num_batches is not None
    try:
        adapter = get_data_adapter(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            steps_per_epoch=steps,
            shuffle=shuffle and (finite or can_convert_arrays(data)),  # else it warns
            class_weight=class_weight,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    if adapter.num_batches == 0:
        raise InputError("x holds no batches: its length is 0.")
    feed = StreamFeed(adapter, steps, reset, once, begin, transform)
    if isinstance(x, keras.utils.PyDataset):
        _refuse_none(feed.sample)
    return feed


def epoch_stream(
    batches: EpochBatches,
    steps: int | None,
    steps_argument: str,
    seed: int | None = None,
    class_weight: ClassWeight | None = None,
    once: bool = False,
) -> StreamFeed:
    """Return a feed of batches that are in another order in each epoch.

    Args:
        batches: The batches.
        steps: The steps of an epoch; None for those that the batches have.
        steps_argument: The name of the caller's argument for ``steps``, for the message.
        seed: The seed of the order; None for the order of the data.
        class_weight: A weight for every class.
        once: Whether there is one epoch only.

    Raises:
        InputError: As from `stream_of`.
    """
    begin = None if batches.begin is None or seed is None else partial(batches.begin, seed)
    return stream_of(
        (batches.dataset, None, None),
        steps or batches.steps,
        steps_argument,
        class_weight=class_weight,
        once=once,
        begin=begin,
        transform=batches.transform,
    )


def _refuse_none(batch: Nested) -> None:
    """Refuse None in batches: Keras's adapter declares an Optional, and then yields the None."""
    if any(leaf is None for leaf in tf.nest.flatten(batch)):
        raise InputError(
            "The PyDataset's batches hold None, which Keras can't take from one. Leave it out: "
            "(x, y) instead of (x, y, None)."
        )
