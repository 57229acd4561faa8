"""Keras's callbacks in the compiled loop: which of them act on batches, and an epoch's logs."""

from collections.abc import Sequence

import keras
import numpy as np

from tfcourse.internals.data import python_logs, traces_batches
from tfcourse.training.programs.step import overrides
from tfcourse.types import Callback, CallbackList, Callbacks, KerasModel, Logs

__all__ = [
    "TEST_HOOKS",
    "TRAIN_HOOKS",
    "acts_on_batches",
    "callback_list",
    "epoch_logs",
    "next_stride",
    "numbers_of",
]

TRAIN_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")


def callback_list(
    callbacks: Callbacks,
    model: KerasModel,
    verbose: int | str,
    steps: int | None,
    epochs: int = 1,
    add_history: bool = False,
) -> CallbackList:
    """Return a ``CallbackList`` with Keras's progress bar, as Keras's own loops make it.

    A ``CallbackList`` is returned as it is.

    Args:
        callbacks: The caller's.
        model: The model that they watch.
        verbose: As for ``model.fit``; 0 for no progress bar.
        steps: Steps in an epoch, if known.
        epochs: The last epoch's number, from 1.
        add_history: Whether to add a ``History``.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    return keras.callbacks.CallbackList(
        callbacks,
        add_history=add_history,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
        model=model,
    )


def acts_on_batches(callbacks: CallbackList, hooks: Sequence[str]) -> bool:
    """Return True if one of a ``CallbackList``'s callbacks must be called at every batch."""
    return any(_has_batch_hook(callback, hooks) for callback in callbacks.callbacks)


def _has_batch_hook(callback: Callback, hooks: Sequence[str]) -> bool:
    """Return True if a callback must see every batch; Keras's own have an option for it."""
    rare = isinstance(callback, keras.callbacks.ProgbarLogger) or any(
        getattr(callback, frequency, None) == "epoch" for frequency in ("save_freq", "update_freq")
    )
    rare = rare and not traces_batches(callback)
    for name in hooks:
        hook = vars(callback).get(name) or getattr(type(callback), name)
        default = hook is getattr(keras.callbacks.Callback, name)
        if not default and not (rare and hook.__module__.startswith("keras.")):
            return True
    return False


def next_stride(model: KerasModel, stopped: bool, stride: int) -> int:
    """Return the steps of a pass's first call: ``stride``, or Keras's if it is already stopped."""
    return int(model.steps_per_execution) if stopped else stride


def epoch_logs(
    model: KerasModel, logs: Logs, step: str, callbacks: CallbackList, hooks: Sequence[str]
) -> Logs:
    """Return an epoch's logs from those of its last step, as Keras does.

    If a step of the model's own reports exactly the metrics' names, the metrics' results count.
    They also do where a callback may have changed them after the last step.

    Args:
        model: The model.
        logs: The last step's.
        step: ``"train_step"`` or ``"test_step"``.
        callbacks: The ``CallbackList``.
        hooks: The names of the hooks that are called at its batches.
    """
    own = overrides(model, step) or overrides(model, "compute_metrics")
    if own or acts_on_batches(callbacks, hooks):
        metrics = model.get_metrics_result()
        logs = metrics if isinstance(logs, dict) and logs.keys() == metrics.keys() else logs
    return numbers_of(logs)


def numbers_of(logs: Logs) -> Logs:
    """Return logs as Keras passes them to callbacks: floats or arrays, without nesting."""
    if logs and all(isinstance(value, float | np.floating) for value in logs.values()):
        return {name: float(logs[name]) for name in sorted(logs)}  # a tenth of Keras's time
    return python_logs(logs)
