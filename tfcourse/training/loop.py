"""The epochs of one call of `fit`: training, validation and callbacks in Keras's order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from tfcourse.internals.models import initial_epoch_of
from tfcourse.training.callbacks import (
    TEST_HOOKS,
    TRAIN_HOOKS,
    acts_on_batches,
    epoch_logs,
    next_stride,
)
from tfcourse.training.checkpoints.resume import Checkpoints, Start
from tfcourse.training.checkpoints.saving import Saving
from tfcourse.training.data.compilation import Compilation
from tfcourse.training.data.feeds import Chunk, Feed, Program, StreamFeed
from tfcourse.training.joint_epochs import run_joint_epochs
from tfcourse.training.non_finite.guard import Guard
from tfcourse.training.non_finite.rule import OnNan
from tfcourse.training.programs.buffered import batches_in
from tfcourse.training.programs.model_programs import (
    StepProgram,
    metrics_reset,
    test_program,
    train_program,
)
from tfcourse.training.programs.step import runs_eagerly
from tfcourse.types import CallbackList, KerasModel, Logs

__all__ = ["Loop", "Plan", "evaluate_feed"]

# About the most bytes of a stream's batches that are kept for a repetition.
REPLAY_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Plan:
    """The options of an epoch.

    Attributes:
        jit: Which programs XLA compiles.
        steps_per_call: The most steps of one call of a program. Between calls the progress bar
            moves, and Ctrl-C takes effect.
        validation_freq: As for ``model.fit``.
        on_nan: The reaction to a loss that is not finite; see `fit`.
    """

    jit: Compilation
    steps_per_call: int
    validation_freq: int | Sequence[int] = 1
    on_nan: OnNan = "ignore"

    def validates(self, epoch: int) -> bool:
        """Return True if the epoch (counted from 0) ends with a validation."""
        if isinstance(self.validation_freq, int | np.integer):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq


class Loop:
    """The loop over a training's epochs and its calls of the compiled programs."""

    def __init__(
        self,
        model: KerasModel,
        train: Feed,
        validation: Feed | None,
        plan: Plan,
        callbacks: CallbackList,
        saving: Saving | None = None,
    ) -> None:
        self.model, self.train, self.validation = model, train, validation
        self.plan, self.callbacks = plan, callbacks
        self.reset_metrics = metrics_reset(model)
        self.guard, most = None, plan.steps_per_call
        if plan.on_nan != "ignore":
            # To repeat the steps since the last copy takes seconds; the copies cost little.
            every = 16 * most
            if isinstance(train, StreamFeed):  # its batches since then are kept
                every = min(every, batches_in(REPLAY_BYTES, train.dataset.element_spec))
                most = min(most, every)
            self.guard = Guard(model, train, plan.on_nan, every)
        self.stride = _stride(model, callbacks, TRAIN_HOOKS, most)
        self.checkpoints = None
        if saving is not None:
            self.checkpoints = Checkpoints(saving, model, train, callbacks, self.guard)

    def run(self, initial_epoch: int, epochs: int) -> keras.callbacks.History:
        """Run all epochs, and return the model's ``History``."""
        model, callbacks = self.model, self.callbacks
        model.stop_training = False
        start = self._begin(initial_epoch, epochs)
        logs, step, epochs_left = start.logs, start.step, start.epochs
        if self.validation is None and self.checkpoints is None:
            logs, epochs_left = self._run_joint_epochs(epochs_left)
        for epoch in epochs_left:
            if not step:
                self.reset_metrics()
                callbacks.on_epoch_begin(epoch)
            logs, step = self._train_epoch(epoch, step), 0
            if self.validation is not None and self.plan.validates(epoch):
                validation = self._validate()
                logs |= {f"val_{name}": value for name, value in validation.items()}
            callbacks.on_epoch_end(epoch, logs)
            if self.checkpoints is not None:
                last = model.stop_training or epoch + 1 == epochs
                self.checkpoints.after_epoch(epoch, logs, last)
            if model.stop_training:
                break
        if epochs and isinstance(model.optimizer, keras.optimizers.Optimizer):
            model.optimizer.finalize_variable_values(model.trainable_weights)
        callbacks.on_train_end(logs)
        history: keras.callbacks.History = model.history
        return history

    def _run_joint_epochs(self, epochs: range) -> tuple[Logs | None, range]:
        if runs_eagerly(self.model):
            return None, epochs
        program, steps = self._program(), self.stride
        reset, guard = self.reset_metrics, self.guard
        return run_joint_epochs(epochs, self.train, program, steps, self.callbacks, reset, guard)

    def _begin(self, initial_epoch: int, epochs: int) -> Start:
        if self.checkpoints is not None:
            return self.checkpoints.begin(initial_epoch, epochs)
        self.callbacks.on_train_begin()
        # BackupAndRestore sets the epoch to continue from on the model.
        return Start(range(initial_epoch_of(self.model) or initial_epoch, epochs))

    def _train_epoch(self, epoch: int, start: int = 0) -> Logs:
        """Run an epoch from step ``start``, and repeat steps after a rollback; return the logs."""
        program = self._program()
        logs: Logs = {}
        again: int | None = start
        while again is not None:
            logs, again = self._train_steps(program, epoch, again)
        return epoch_logs(self.model, logs, "train_step", self.callbacks, TRAIN_HOOKS)

    def _program(self) -> StepProgram:
        jit, guarded = self.plan.jit, self.guard is not None
        options = guarded, jit.required, jit.in_range, jit.exact, jit.optimized
        return train_program(self.model, self.train.stream, jit.training, *options)

    def _train_steps(self, program: Program, epoch: int, start: int) -> tuple[Logs, int | None]:
        """Return the logs after the last step, and the step to repeat from after a rollback."""
        logs: Logs = {}
        callbacks, guard = self.callbacks, self.guard
        for chunk in self._chunks(epoch, start):
            if self.checkpoints is not None:
                self.checkpoints.before_steps(epoch, chunk.start)
            if guard is not None:
                guard.copy_state(chunk.start, first=chunk.start == start)
            callbacks.on_train_batch_begin(chunk.start)
            result = chunk.run(program)
            if guard is not None:
                guard.add_batches(result)
            if not result.steps:
                continue  # the feed ends, with a warning if it should not
            if guard is not None and not result.finite:
                again = guard.handle(epoch, chunk.start + result.steps - 1, program)
                if self.train.repeatable:
                    return logs, again
                continue
            logs = result.logs
            callbacks.on_train_batch_end(chunk.start + result.steps - 1, logs)
            if self.model.stop_training:
                break
        return logs, None

    def _chunks(self, epoch: int, start: int) -> Iterator[Chunk]:
        """Yield the steps of an epoch from ``start``, and a stream's again after a rollback."""
        stride = next_stride(self.model, self.model.stop_training, self.stride)
        for chunk in self.train.chunks(epoch, stride, start):
            yield chunk
            if self.guard is not None:
                yield from self.guard.replays()

    def _validate(self) -> Logs:
        assert self.validation is not None
        model, reset = self.model, self.reset_metrics
        return evaluate_feed(model, self.validation, self.plan, self.callbacks, reset)


def evaluate_feed(
    model: KerasModel,
    feed: Feed,
    plan: Plan,
    callbacks: CallbackList,
    reset_metrics: Callable[[], None],
) -> Logs:
    """Return the loss and metrics of a model on a feed's data."""
    if isinstance(feed, StreamFeed):
        feed.restart()
    jit = plan.jit
    options = jit.required, jit.validation_in_range, jit.exact, jit.optimized
    program = test_program(model, feed.stream, jit.validation, *options)
    stride = _stride(model, callbacks, TEST_HOOKS, plan.steps_per_call)
    model.stop_evaluating = False
    callbacks.on_test_begin()
    reset_metrics()
    logs: Logs = {}
    for chunk in feed.chunks(0, next_stride(model, model.stop_evaluating, stride)):
        callbacks.on_test_batch_begin(chunk.start)
        result = chunk.run(program)
        if not result.steps:
            continue
        logs = result.logs
        callbacks.on_test_batch_end(chunk.start + result.steps - 1, logs)
        if model.stop_evaluating:
            break
    logs = epoch_logs(model, logs, "test_step", callbacks, TEST_HOOKS)
    callbacks.on_test_end(logs)
    return logs


def _stride(model: KerasModel, callbacks: CallbackList, hooks: Sequence[str], most: int) -> int:
    """Return the steps of a call: Keras's number where a callback must see every batch."""
    if acts_on_batches(callbacks, hooks):
        return int(model.steps_per_execution)
    return most
