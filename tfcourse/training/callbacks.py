"""What the compiled loop must know of Keras's callbacks: who acts on batches, what logs are."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

__all__ = ["TEST_HOOKS", "TRAIN_HOOKS", "acts_on_batches", "numbers_of"]

TRAIN_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")


def acts_on_batches(callbacks: Any, hooks: Sequence[str]) -> bool:
    """Whether one of a ``CallbackList``'s callbacks must be called at every batch."""
    return any(_has_batch_hook(callback, hooks) for callback in callbacks.callbacks)


def _has_batch_hook(callback: Any, hooks: Sequence[str]) -> bool:
    """Whether a callback must see every batch; Keras's own do so only if told to."""
    if isinstance(callback, keras.callbacks.ProgbarLogger | keras.callbacks.History):
        return False
    for frequency in ("save_freq", "update_freq"):
        if getattr(callback, frequency, None) == "epoch":
            return False
    base = keras.callbacks.Callback
    return any(
        name in vars(callback) or getattr(type(callback), name) is not getattr(base, name)
        for name in hooks
    )


def numbers_of(logs: Any) -> dict[str, Any]:
    """Logs as Keras hands them on: floats, arrays for metrics of several values, no nesting."""
    flat: dict[str, Any] = {}
    for name, value in logs.items():
        if isinstance(value, Mapping):
            flat |= numbers_of(value)
        else:
            value = np.asarray(value)
            flat[name] = float(value) if value.ndim == 0 else value
    return flat
