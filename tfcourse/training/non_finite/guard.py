"""The reaction of `fit` to a loss that is not finite: find the cause, stop or roll back."""

from collections import deque
from collections.abc import Iterator
from functools import partial

from tfcourse.errors import WorkFailedError, warn
from tfcourse.optimizers.schedule import base_rate, set_base_rate
from tfcourse.training.data.feeds import ArrayFeed, Chunk, Feed, Program
from tfcourse.training.non_finite.cause import cause
from tfcourse.training.non_finite.rule import MAX_ROLLBACKS, Fault, OnNan, gives_up
from tfcourse.training.programs.model_programs import state_copier
from tfcourse.training.programs.result import ProgramResult, ReplayBuffer
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
    """Copies of a model's state for a rollback, and a stream's batches since the newest copy.

    Args:
        model: The model that is trained.
        feed: Its data.
        on_nan: ``"stop"`` or ``"rollback"``.
        every: The most steps between two copies of the state.
    """

    def __init__(self, model: KerasModel, feed: Feed, on_nan: OnNan, every: int) -> None:
        self.model, self.feed, self.on_nan, self.every = model, feed, on_nan, every
        self.state = state_copier(model)
        self.copies: deque[list[Tensor]] = deque(maxlen=1 if on_nan == "stop" else 3)
        self.step = 0  # the step of the epoch before which the newest copy was made
        self.rollbacks = 0
        self.useless = 0  # the newest copies from which the training ended the same way
        self.rolled_back = False
        self.replay_buffers: list[ReplayBuffer] = []  # of a stream, since the newest copy
        self.next_replay: int | None = None  # the step of a stream to take again

    def copy_state(self, step: int, first: bool) -> None:
        """Copy the state before a step of an epoch, if it is the first or a copy is due."""
        if self.rolled_back or self.next_replay is not None:
            self.rolled_back = False
        elif first or step - self.step >= self.every:
            self.copies.append(self.state.copy())
            self.step, self.useless = step, 0
            self.replay_buffers.clear()

    def take_back(self) -> None:
        """Set the state to the newest copy, and forget that copy."""
        self._assign(self.copies.pop())

    def add_batches(self, result: ProgramResult) -> None:
        """Keep the batches of a call on a stream."""
        if result.replay_buffer is not None:
            self.replay_buffers.append(result.replay_buffer)

    def replays(self) -> Iterator[Chunk]:
        """Yield the steps since the copy one by one, after a rollback in a stream."""
        while self.next_replay is not None and self.next_replay < self._end_of_buffers:
            step, self.next_replay = self.next_replay, self.next_replay + 1
            yield Chunk(step, 1, partial(self._replay, step))
        self.next_replay = None

    @property
    def _end_of_buffers(self) -> int:
        return self.step + sum(map(len, self.replay_buffers))

    def handle(self, epoch: int, step: int, program: Program) -> int:
        """Roll back, and return the step of the epoch to continue from.

        A stream continues in `replays`.

        Raises:
            NonFiniteLossError: ``on_nan`` is ``"stop"``, or rollbacks have not helped.
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
        set_base_rate(self.model.optimizer, rate / 2)
        if self.feed.repeatable:
            self.rolled_back = True
        else:
            self.next_replay = self.step
        copy = f"of {older} copies earlier" if older else f"from before batch {self.step + 1}"
        warn(
            f"{Fault('loss', epoch, step).message}. Continuing from batch "
            f"{self.step + 1} with the state {copy} and the learning rate {rate / 2:g} instead of "
            f"{rate:g} ({self.rollbacks} of {MAX_ROLLBACKS} times)."
        )
        return self.step

    def _assign(self, copy: list[Tensor], metrics: bool = True) -> None:
        """Assign a copy of the state, but not a learning rate from before a rollback."""
        rate = self._learning_rate() if self.rollbacks else None
        self.state.assign(copy, metrics)
        if rate is not None:
            set_base_rate(self.model.optimizer, rate)

    def _learning_rate(self) -> float:
        return base_rate(self.model.optimizer)

    def _error(self, epoch: int, step: int, program: Program) -> NonFiniteLossError:
        step = self._replay_to_the_fault(epoch, step, program)
        if isinstance(self.feed, ArrayFeed):
            batch = self.feed.batch(epoch, step)
        else:
            buffer, number = self._find_batch(step)
            batch = buffer.batch(number)
        layer, sentence = cause(self.model, batch)
        self._assign(self.copies[-1])
        often = f" after {self.rollbacks} rollbacks" if self.rollbacks else ""
        rate = self._learning_rate()
        return NonFiniteLossError(
            f"{Fault('loss', epoch, step).message}{often}, at learning "
            f"rate {rate:g}. {sentence}\nThe model has the weights from before batch {step + 1}. "
            'Lower the learning rate, or clip the gradients (clipnorm); on_nan="ignore" continues.',
            epoch,
            step,
            layer,
        )

    def _replay_to_the_fault(self, epoch: int, step: int, program: Program) -> int:
        """Repeat the steps up to the first after which something is not finite, and return it.

        That may be earlier than ``step``: weights are only checked when a program ends. The model
        has its state from before the returned step.
        """
        self._assign(self.copies[-1])
        current = self.step
        for current in range(self.step, step + 1):
            self.copies.append(self.state.copy())
            if isinstance(self.feed, ArrayFeed):
                result = next(iter(self.feed.chunks(epoch, 1, current))).run(program)
            else:
                result = self._replay(current)
            if not result.finite:
                break
        self._assign(self.copies[-1])
        return current

    def _replay(self, step: int, _: object = None) -> ProgramResult:
        """Take a step of a stream once more, in the program that read its batch."""
        buffer, number = self._find_batch(step)
        return buffer.replay(number)

    def _find_batch(self, step: int) -> tuple[ReplayBuffer, int]:
        """Return the buffer with the batch of a stream's step, and its number there."""
        number = step - self.step
        for buffer in self.replay_buffers:
            if number < len(buffer):
                return buffer, number
            number -= len(buffer)
        raise IndexError(step)
