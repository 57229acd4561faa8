"""A run's journal with the state that it tells of, and the ends of a training that it can cause."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tfcourse.babysit.entries import Entry
from tfcourse.babysit.journal import Journal
from tfcourse.babysit.state import follow, state_of

__all__ = ["Record", "ReplayOverError", "RolledBackError"]


class RolledBackError(Exception):
    """The training has to continue from an earlier epoch."""


class ReplayOverError(Exception):
    """The journal that a run repeats ends before the last epoch."""


class Record:
    """The journal of a run, and its state.

    Args:
        path: The journal's file, which one process writes.
        on_entry: Called with each new entry.

    Attributes:
        state: The state.
    """

    def __init__(self, path: Path, on_entry: Callable[[Entry], None]) -> None:
        self._journal, self._on_entry = Journal(path), on_entry
        self.state = state_of(self._journal.entries)

    @property
    def entries(self) -> Sequence[Entry]:
        """All entries."""
        return self._journal.entries

    def add(self, entry: Entry) -> None:
        """Write an entry into the journal."""
        self._journal.append(entry)
        self.state = follow(self.state, entry)
        self._on_entry(entry)

    def close(self) -> None:
        """Close the journal's file."""
        self._journal.close()
