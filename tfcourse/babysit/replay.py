"""The journal of another run as the source of what happens between the epochs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfcourse.babysit.entries import Entry, now
from tfcourse.babysit.journal import read_journal
from tfcourse.babysit.record import Record, ReplayOverError, RolledBackError
from tfcourse.errors import InputError

if TYPE_CHECKING:
    from tfcourse.babysit.adjustable import AdjustableHyperparameters

__all__ = ["Replay"]


class Replay:
    """The entries of a run that is trained again.

    Its own journal gets the same entries; the times differ.

    Args:
        path: The other run's journal.

    Raises:
        InputError: It can't be read.

    Attributes:
        difference: The first epoch whose numbers differ from those of the other run, in words;
            empty if all agree.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries = _events(read_journal(path))
        self.difference = ""

    def check(self, own: Sequence[Entry]) -> None:
        """Check that a journal repeats the other one so far.

        Raises:
            InputError: It holds something else.
        """
        for entry, wanted in zip(_events(own), self.entries, strict=False):
            if entry.kind == wanted.kind == "epoch":
                self._compare(entry, wanted)
            elif not entry.agrees_with(wanted):
                raise InputError(
                    f"The run directory does not repeat {self.path}: it has a {entry.kind} before "
                    f"epoch {entry.epoch} where that has a {wanted.kind}. Choose another --out."
                )

    @property
    def last_epoch(self) -> int:
        """The largest number of an epoch."""
        return max((entry.epoch for entry in self.entries if entry.kind == "epoch"), default=0)

    def follow(
        self, record: Record, epoch: int, epochs: int, adjustable: "AdjustableHyperparameters"
    ) -> None:
        """Add the other run's entries up to its next epoch to a run's record.

        Args:
            record: The record of the run that repeats the other.
            epoch: The epoch that comes next in it; ``epochs`` + 1 after the last one.
            epochs: The number of its last epoch.
            adjustable: Its hyperparameters.

        Raises:
            RolledBackError: The training has to continue from an earlier epoch.
            ReplayOverError: The other run's journal ends here, and there are more epochs.
        """
        while (entry := self._next(record.entries)) is not None and entry.kind != "epoch":
            record.add(entry.model_copy(update={"time": now()}))
            if entry.kind == "rollback":
                raise RolledBackError
            if entry.kind == "nudge":
                adjustable.assign({name: after for name, (_, after) in entry.changes.items()})
        if entry is None and epoch <= epochs:
            raise ReplayOverError

    def compare_last(self, own: Sequence[Entry]) -> None:
        """Compare the last epoch of a journal with the other run's; see ``difference``."""
        events = _events(own)
        self._compare(events[-1], self.entries[len(events) - 1])

    def _compare(self, entry: Entry, wanted: Entry) -> None:
        """Compare an epoch with the other run's; see ``difference``."""
        if not self.difference and not entry.agrees_with(wanted):
            self.difference = (
                f"The numbers differ from epoch {entry.epoch} on: its loss was {wanted.loss} and "
                f"now is {entry.loss}. Config, data, versions or machine differ."
            )

    def _next(self, own: Sequence[Entry]) -> Entry | None:
        count = len(_events(own))
        return self.entries[count] if count < len(self.entries) else None


def _events(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.kind not in ("start", "end")]
