"""The dtype policy of a search's models."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from tfcourse.search.config.tables import TrainingTable

__all__ = ["dtype_policy"]


@contextmanager
def dtype_policy(training: TrainingTable) -> Iterator[None]:
    """Set Keras's global policy to ``[training] dtype_policy`` inside; without one leave it.

    Layers have the policy of the time when they are made; some models make theirs when they are
    built or first called.
    """
    before = keras.config.dtype_policy()
    if training.dtype_policy is not None:
        keras.config.set_dtype_policy(training.dtype_policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
