"""Several short epochs in one call of their program, where nothing happens between them."""

from typing import TypeGuard

import keras
import numpy as np
import tensorflow as tf

from tfcourse.data.streams.stream import shuffled_rows
from tfcourse.training.callbacks import numbers_of
from tfcourse.training.data.feeds import ArrayFeed, Feed
from tfcourse.training.non_finite.guard import Guard
from tfcourse.training.programs.epoch import EpochProgram
from tfcourse.training.programs.state import MetricsReset
from tfcourse.types import CallbackList, Logs, Tensor

__all__ = ["run_joint_epochs"]

# Enough that the cost of a call is small beside its epochs.
MOST_EPOCHS = 32


def run_joint_epochs(
    epochs: range,
    feed: Feed,
    program: object,
    steps_per_call: int,
    callbacks: CallbackList,
    reset_metrics: MetricsReset,
    guard: Guard | None,
) -> tuple[Logs | None, range]:
    """Run epochs of arrays under XLA in few calls, with the numbers of one call an epoch.

    Nothing may look at a training between its epochs: its only callback is the ``History``, the
    metrics' reset is known, and a rollback (which goes to the copy of an epoch's begin) isn't
    wanted. An epoch after which a number is not finite is left to the caller, with all those of
    its call.

    Args:
        epochs: The epochs to run.
        feed: The data of the training.
        program: Its program.
        steps_per_call: The most steps of a call.
        callbacks: The ``CallbackList``.
        reset_metrics: The reset of the model's metrics.
        guard: The guard, if the training has one.

    Returns:
        The logs of the last epoch, and the epochs that are left, with the state before them.
    """
    logs: Logs | None = None
    if not (_has_whole_epochs(feed) and _has_history_alone(callbacks)):
        return logs, epochs
    room = min(MOST_EPOCHS, steps_per_call // feed.steps)
    if room < 2 or not isinstance(program, EpochProgram) or program.step.result is None:
        return logs, epochs
    if guard is not None and guard.on_nan == "rollback":
        return logs, epochs
    if not (epochs and program.jit_compile and reset_metrics.is_known):
        return logs, epochs
    reset_metrics()
    while epochs:
        if guard is not None:
            guard.copy_state(0, first=True)
        orders = _orders(feed, epochs[:room], room)
        count = len(epochs[:room])
        every = program.run_epochs(feed.arrays.data, orders, feed.batch_size, count, reset_metrics)
        if every is None:
            if guard is not None:
                guard.take_back()
            break
        for epoch, logs_of_epoch in zip(epochs, every, strict=False):
            logs = numbers_of(logs_of_epoch)
            callbacks.on_epoch_begin(epoch)
            callbacks.on_epoch_end(epoch, logs)
        epochs = epochs[room:]
    return logs, epochs


def _has_whole_epochs(feed: Feed) -> TypeGuard[ArrayFeed]:
    """Return True if each epoch is a pass over arrays of at least one full batch."""
    if not isinstance(feed, ArrayFeed) or feed.steps != feed.available:
        return False
    return feed.arrays.count >= feed.batch_size


def _orders(feed: ArrayFeed, epochs: range, rows: int) -> Tensor:
    """Return the orders of epochs, and rows of zeros after them up to a number of rows."""
    count = feed.arrays.count
    orders = np.zeros((rows, count), np.int32)
    for row, epoch in zip(orders, epochs, strict=False):
        row[:] = shuffled_rows(count, feed.seed, epoch) if feed.shuffle else np.arange(count)
    return tf.constant(orders)


def _has_history_alone(callbacks: CallbackList) -> bool:
    return type(callbacks) is keras.callbacks.CallbackList and all(
        type(callback) is keras.callbacks.History for callback in callbacks.callbacks
    )
