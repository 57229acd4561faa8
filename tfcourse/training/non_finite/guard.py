"""What `fit` does when the loss becomes NaN or infinite: find the cause, stop or go back."""

from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any

import keras

from tfcourse.errors import WorkFailedError, warn
from tfcourse.training.data.feeds import ArrayFeed, Chunk, Feed, Program
from tfcourse.training.non_finite.cause import cause
from tfcourse.training.non_finite.rule import MAX_ROLLBACKS, Fault, OnNan, gives_up
from tfcourse.training.programs.epoch import ProgramResult
from tfcourse.training.programs.model_programs import state_copier
from tfcourse.training.programs.replay_buffer import ReplayBuffer
from tfcourse.types import KerasModel, Tensor

__all__ = ["Guard", "NonFiniteLossError"]


class NonFiniteLossError(WorkFailedError):
    """The loss, or a weight, became NaN or infinite; the model has its last finite weights.

    Attributes:
        epoch: The epoch, from 0.
        batch: The batch of the epoch, from 0.
        layer: The name of the first layer whose output was not finite; None if it isn't known.
    """

    def __init__(self, message: str, epoch: int, batch: int, layer: str | None) -> None:
        super().__init__(message)
        self.epoch, self.batch, self.layer = epoch, batch, layer


class Guard:
    """Keeps states to go back to while a model is trained, and a stream's batches since then.

    Args:
        model: The model that is trained.
        feed: Its data.
        on_nan: ``"stop"`` or ``"rollback"``.
        every: The most steps between two copies of the state.
    """

    def __init__(self, model: KerasModel, feed: Feed, on_nan: OnNan, every: int) -> None:
        self.model, self.feed, self.on_nan, self.every = model, feed, on_nan, every
        self.state = state_copier(model)
        self.copies: deque[Any] = deque(maxlen=1 if on_nan == "stop" else 3)
        self.step = 0  # of the epoch, at which the newest copy was taken
        self.rollbacks = 0
        self.useless = 0  # how many of the newest copies have led to the same end
        self.returned = False
        self.taken: list[ReplayBuffer] = []  # since the newest copy, from a stream
        self.next: int | None = None  # the step of a stream that is to be run again

    def keep(self, step: int, first: bool) -> None:
        """Copies the state before a step of an epoch, if it is the first or a copy is due."""
        if self.returned or self.next is not None:
            self.returned = False
        elif first or step - self.step >= self.every:
            self.copies.append(self.state.copy())
            self.step, self.useless = step, 0
            self.taken.clear()

    def took(self, outcome: ProgramResult) -> None:
        """Keeps the batches of a call on a stream."""
        if outcome.replay_buffer is not None:
            self.taken.append(outcome.replay_buffer)

    def repeats(self) -> Iterator[Chunk]:
        """After a rollback in a stream, the steps since the copy, one by one."""
        while self.next is not None and self.next < self.step + sum(map(len, self.taken)):
            step, self.next = self.next, self.next + 1
            yield Chunk(step, 1, partial(self._again, step))
        self.next = None

    def handle(self, epoch: int, step: int, program: Program) -> int:
        """Goes back; gives the step of the epoch to go on from, which a stream does in `repeats`.

        Raises:
            NonFiniteLossError: With ``"stop"``, or when going back has not helped.
        """
        if gives_up(self.on_nan, self.rollbacks):
            raise self._error(epoch, step, program)
        # The first loss from a copy doesn't depend on the learning rate: that copy can't help.
        self.useless += step == self.step
        older = min(self.useless, len(self.copies) - 1)
        self.useless += 1
        self.rollbacks += 1
        rate = self._learning_rate()
        self._assign(self.copies[-1])
        self._assign(self.copies[-1 - older], metrics=False)
        self.model.optimizer.learning_rate = rate / 2
        if self.feed.repeatable:
            self.returned = True
        else:
            self.next = self.step
        copy = f"of {older} copies earlier" if older else f"from before batch {self.step + 1}"
        warn(
            f"{Fault('loss', epoch, step).message}. Going on from batch "
            f"{self.step + 1} with the state {copy} and the learning rate {rate / 2:g} instead of "
            f"{rate:g} ({self.rollbacks} of {MAX_ROLLBACKS} times).",
        )
        return self.step

    def _assign(self, copy: list[Tensor], metrics: bool = True) -> None:
        """Goes back to a copy, but not to the learning rate from before a rollback."""
        rate = self._learning_rate() if self.rollbacks else None
        self.state.assign(copy, metrics)
        if rate is not None:
            self.model.optimizer.learning_rate = rate

    def _learning_rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def _error(self, epoch: int, step: int, program: Program) -> NonFiniteLossError:
        step = self._go_to_the_cause(epoch, step, program)
        if isinstance(self.feed, ArrayFeed):
            batch = self.feed.batch(epoch, step)
        else:
            taken, number = self._place(step)
            batch = taken.batch(number)
        layer, sentence = cause(self.model, batch)
        self._assign(self.copies[-1])
        often = f" after {self.rollbacks} rollbacks" if self.rollbacks else ""
        rate = self._learning_rate()
        return NonFiniteLossError(
            f"{Fault('loss', epoch, step).message}{often}, at learning "
            f"rate {rate:g}. {sentence}\nThe model has the weights from before batch {step + 1}. "
            'Lower the learning rate, or clip the gradients (clipnorm); on_nan="ignore" goes on.',
            epoch,
            step,
            layer,
        )

    def _go_to_the_cause(self, epoch: int, step: int, program: Program) -> int:
        """Repeats the steps one by one up to the first after which something is not finite.

        That may be earlier than ``step``: weights are only looked at when a program ends. The
        model is left as it was before the step returned.
        """
        self._assign(self.copies[-1])
        now = self.step
        for now in range(self.step, step + 1):
            self.copies.append(self.state.copy())
            if isinstance(self.feed, ArrayFeed):
                outcome = next(iter(self.feed.chunks(epoch, 1, now))).run(program)
            else:
                outcome = self._again(now)
            if not outcome.finite:
                break
        self._assign(self.copies[-1])
        return now

    def _again(self, step: int, _: object = None) -> ProgramResult:
        """A step of a stream once more, in the program that took its batch."""
        taken, number = self._place(step)
        return taken.replay(number)

    def _place(self, step: int) -> tuple[ReplayBuffer, int]:
        """Where the batch of a stream's step since the newest copy is."""
        number = step - self.step
        for taken in self.taken:
            if number < len(taken):
                return taken, number
            number -= len(taken)
        raise IndexError(step)
