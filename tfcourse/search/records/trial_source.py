"""The side of a scheduler that a worker sees."""

from typing import Protocol

__all__ = ["TrialSource"]


class TrialSource(Protocol):
    """The side of a scheduler that a worker sees, in its process or another one."""

    @property
    def complete(self) -> bool:
        """True when no trial is left to run or to wait for."""

    def next(self, holder: str) -> int | None:
        """Return the holder's trial; None if there is none now."""

    def end(self, trial: int) -> None:
        """Take note that a trial is on record."""
