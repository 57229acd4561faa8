"""The checkpoints of one call of `fit`: the one that it resumes from, and the new ones."""

import datetime
import time
from pathlib import Path
from typing import Any, NamedTuple

import keras

from tfcourse.errors import InputError, warn
from tfcourse.training.checkpoints.callback_state import CallbackStates
from tfcourse.training.checkpoints.errors import UnusableCheckpointError
from tfcourse.training.checkpoints.fingerprint import difference, fingerprint
from tfcourse.training.checkpoints.record import Record
from tfcourse.training.checkpoints.saving import Saving
from tfcourse.training.checkpoints.workers import Workers
from tfcourse.training.data.feeds import ArrayFeed, Feed
from tfcourse.training.non_finite.guard import Guard
from tfcourse.training.programs.state import state_variables
from tfcourse.types import CallbackList, KerasModel, Logs

__all__ = ["Checkpoints", "Start"]


class Start(NamedTuple):
    """The place at which a training begins.

    Attributes:
        epochs: The epochs to train.
        step: The number of steps of the first of them that are done.
        logs: The logs of the epoch before.
    """

    epochs: range
    step: int = 0
    logs: Logs | None = None


class Checkpoints:
    """The checkpoints of a training: the newest to restore, and those that become due.

    Args:
        saving: The caller's options.
        model: The model, with all its state built.
        feed: The training's data; its seed becomes that of the checkpoint.
        callbacks: The ``CallbackList``.
        guard: The guard with copies of the state for a rollback, if there is one.
    """

    def __init__(
        self,
        saving: Saving,
        model: KerasModel,
        feed: Feed,
        callbacks: CallbackList,
        guard: Guard | None,
    ) -> None:
        _check_setting(callbacks)
        self.saving, self.model, self.feed = saving, model, feed
        self.folder, self.callbacks, self.guard = saving.folder, callbacks, guard
        self.workers = Workers(model)
        self.states = CallbackStates(callbacks)
        self.fingerprint = fingerprint(model, feed)
        self.saved_at, self.place = 0.0, (0, 0)

    def begin(self, initial_epoch: int, epochs: int) -> Start:
        """Call ``on_train_begin``, and restore the newest checkpoint or write the first.

        Raises:
            UnusableCheckpointError: The checkpoint is of another model, other data or more epochs,
                or none can be read.
            CheckpointError: No checkpoint can be written.
        """
        newest = self.workers.newest(self.folder)
        if self.workers.first:
            self.folder.tidy()
        if newest is None:
            self.states.begin(None)
            # An error of a folder that can't be written to comes now, not after an epoch.
            self._save(initial_epoch, 0)
            return Start(range(initial_epoch, epochs))
        path, record = newest
        self._check(path, record, epochs)
        if isinstance(self.feed, ArrayFeed):
            assert record.seed is not None  # arrays have one
            self.feed.seed = record.seed
        # A callback that isn't there any more doesn't stop the training.
        stopped = record.stopped and record.callbacks.keys() <= self.states.named.keys()
        if self.saving.verbose:
            self._say(path, record, stopped, epochs)
        self.states.begin(record.callbacks)
        if record.step:
            self.callbacks.on_epoch_begin(record.epoch)
        self._restore(path, record)
        self.saved_at, self.place = time.monotonic(), (record.epoch, record.step)
        end = record.epoch if stopped else epochs
        return Start(range(record.epoch, end), record.step, record.logs)

    def before_steps(self, epoch: int, step: int) -> None:
        """Save between two calls of the program, if the time has come."""
        advanced = self.feed.repeatable and step and (epoch, step) != self.place
        if advanced and self._time_is_over():
            self._save(epoch, step)

    def after_epoch(self, epoch: int, logs: Logs, last: bool) -> None:
        """Save if a checkpoint is due after the epoch, or if it is the last one."""
        every = self.saving.every
        due = self._time_is_over() or (isinstance(every, int) and (epoch + 1) % every == 0)
        if due or last:
            self._save(epoch + 1, 0, logs, bool(self.model.stop_training))

    def _time_is_over(self) -> bool:
        every = self.saving.every
        if not isinstance(every, datetime.timedelta):
            return False
        return self.workers.first_says(time.monotonic() - self.saved_at >= every.total_seconds())

    def _save(self, epoch: int, step: int, logs: Logs | None = None, stopped: bool = False) -> None:
        record = Record(
            epoch=epoch,
            step=step,
            stopped=stopped,
            seed=getattr(self.feed, "seed", None),
            fingerprint=self.fingerprint,
            logs=logs,
            callbacks=self.states.take(),
            guard=_state_of(self.guard),
            variables=self.workers.values(),
        )
        if self.workers.first:
            self.folder.save(record)
        self.saved_at, self.place = time.monotonic(), (epoch, step)

    def _check(self, path: Path, record: Record, epochs: int) -> None:
        mismatch = difference(record.fingerprint, self.fingerprint)
        seed = self.saving.seed
        there, here = len(record.variables), len(state_variables(self.model))
        if mismatch is None and there != here:
            raise UnusableCheckpointError(
                f"{path} holds {there} variables, the model has {here} before its first step: it "
                "makes the others in that step. Make them before: call the metric's build, the "
                "optimizer's build(variables); or pass another checkpoint_dir."
            )
        if mismatch is None and seed is not None and seed != record.seed:
            mismatch = f"the seed was {record.seed}, and now is {seed}"
        if mismatch is not None:
            raise UnusableCheckpointError(
                f"{path} is a checkpoint of another training: {mismatch}. Pass another "
                "checkpoint_dir, or delete that folder to start again."
            )
        if record.epoch + bool(record.step) > epochs:
            raise UnusableCheckpointError(
                f"{path} is a checkpoint of epoch {record.epoch + bool(record.step)}, and epochs "
                f"is {epochs}. Pass more epochs or another checkpoint_dir, or delete that folder."
            )

    def _restore(self, path: Path, record: Record) -> None:
        for variable, value in zip(state_variables(self.model), record.variables, strict=True):
            variable.assign(value)
        self.states.restore(record.callbacks)
        if self.guard is not None and record.guard is not None:
            _restore_guard(self.guard, record.guard, record.step)
        now, then = self.states.named.keys(), record.callbacks.keys()
        if now != then:
            differences = [f"{name} was there" for name in then if name not in now]
            differences += [f"{name} is new" for name in now if name not in then]
            warn(
                f"The callbacks are not those of {path}: {', '.join(differences)}.",
            )

    def _say(self, path: Path, record: Record, stopped: bool, epochs: int) -> None:
        place = f"epoch {record.epoch + 1}/{epochs}"
        if record.step:
            place += f", step {record.step + 1}"
        text = f"Continuing with {place}, from {path}"
        if stopped:
            text = f"Nothing to train: a callback ended it after epoch {record.epoch}, says {path}"
        elif record.epoch == epochs:
            text = f"Nothing to train: all {epochs} epochs are done in {path}"
        print(text, flush=True)


def _check_setting(callbacks: CallbackList) -> None:
    if any(isinstance(c, keras.callbacks.BackupAndRestore) for c in callbacks.callbacks):
        raise InputError(
            "checkpoint_dir and the callback BackupAndRestore both restore the training, to "
            "different points. Leave out the callback: checkpoint_dir keeps more."
        )


def _state_of(guard: Guard | None) -> dict[str, Any] | None:
    """Return the state of a guard that a later rollback depends on."""
    if guard is None or guard.on_nan != "rollback":
        return None
    numbers: dict[str, Any] = {
        "step": guard.step,
        "rollbacks": guard.rollbacks,
        "useless": guard.useless,
    }
    return {**numbers, "copies": [list(copy) for copy in guard.copies]}


def _restore_guard(guard: Guard, state: dict[str, Any], step: int) -> None:
    """Restore the state of `_state_of`, before a step of an epoch."""
    guard.step, guard.rollbacks = state["step"], state["rollbacks"]
    guard.useless = state["useless"]
    guard.copies.extend(state["copies"])
    # Inside an epoch the next copy is taken when it would have been without the interruption.
    guard.rolled_back = bool(step) and step - guard.step < guard.every
