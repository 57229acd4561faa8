"""The result of a call of a program."""

from typing import NamedTuple, Protocol

from tfcourse.types import Logs, Nested, Tensor

__all__ = ["ProgramResult", "ReplayBuffer", "program_result"]


class ReplayBuffer(Protocol):
    """The batches of one call of a program, in their order, to run steps on them again."""

    def __len__(self) -> int:
        """Return the number of batches."""

    def batch(self, number: int) -> Nested:
        """Return one of the batches, as the step sees it."""

    def replay(self, number: int) -> "ProgramResult":
        """Run one step on one of the batches."""


class ProgramResult(NamedTuple):
    """The steps that one call of a program took, and their logs.

    Attributes:
        steps: The number of steps; fewer than the call asks for when the data ended or the loss
            was not finite.
        finite: Whether the loss of every step was a finite number, and the weights after the last.
        logs: The metrics after the last step.
        replay_buffer: The batches, where they came from a stream and the step looks at the loss:
            those of the steps, and any that were read beyond a loss that was not finite.
    """

    steps: int
    finite: bool
    logs: Logs | Nested
    replay_buffer: ReplayBuffer | None = None

    @property
    def used(self) -> int:
        """The number of batches that are gone from the stream."""
        return self.steps if self.replay_buffer is None else len(self.replay_buffer)


def program_result(tensors: tuple[Tensor, Tensor, Nested]) -> ProgramResult:
    """Return the result from a program's tensors; wait until they are computed."""
    steps, finite, logs = tensors
    return ProgramResult(int(steps), bool(finite), logs)
