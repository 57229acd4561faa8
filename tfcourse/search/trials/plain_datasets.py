"""Streams as ``model.fit`` takes them, for a builder's own ``fit``."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from tfcourse.data.streams.stream import EpochBatches
from tfcourse.errors import InputError
from tfcourse.types import Callback

__all__ = ["plain_datasets"]


def plain_datasets(
    arguments: Mapping[str, Any], seed: int | None
) -> tuple[dict[str, Any], list[Callback]]:
    """Return arguments of `tfcourse.fit` with datasets for streams, and callbacks for their order.

    Args:
        arguments: The arguments.
        seed: The seed of the order; None for the data's own.

    Raises:
        InputError: A stream is a ``PyDataset``.
    """
    plain, callbacks = dict(arguments), list[Callback]()
    steps = {"x": "steps_per_epoch", "validation_data": "validation_steps"}
    for name, of_name in steps.items():
        batches = arguments.get(name)
        if not isinstance(batches, EpochBatches):
            continue
        if batches.transform is not None:
            raise InputError(
                "A builder with a fit of its own takes no PyDataset in a search. Give a "
                "tf.data.Dataset, or leave fit out."
            )
        plain[name] = batches.dataset
        plain |= {"shuffle": False} if name == "x" else {}  # with True Keras warns of datasets
        plain |= {} if batches.steps is None else {of_name: batches.steps}
        if name == "x" and batches.begin is not None and seed is not None:
            batches.begin(seed, 0)  # for a loop that calls no callback
            callbacks.append(_Order(batches.begin, seed))
    return plain, callbacks


class _Order(keras.callbacks.Callback):
    """A callback that brings a stream into the order of an epoch, before its first batch."""

    def __init__(self, begin: Callable[[int, int], None], seed: int) -> None:
        super().__init__()
        self.begin, self.seed = begin, seed

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.begin(self.seed, epoch)
