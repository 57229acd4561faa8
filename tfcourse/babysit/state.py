"""The state of a training as its journal tells it: a fold over the entries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

from tfcourse.babysit.entries import Entry

__all__ = ["RunState", "can_follow", "follow", "state_of"]


@dataclass(frozen=True)
class RunState:
    """The state of a training between two entries of its journal.

    Epochs that were rolled back, and the changes that took effect after them, are no part of it.

    Attributes:
        run: The run's id.
        start: The hyperparameters that the training started with, by name.
        epochs: The entry of each epoch that is done.
        changes: The epoch before which each change takes effect, and the new values.
        pause: The entry of the pause that has not ended; None if there is none.
        has_ended: Whether the last epoch is done and recorded as such.
        ids: The entries of commands by the commands' ids.
        rule_rollbacks: The rollbacks by the rule since the last nudge or rollback by a person.
    """

    run: str = ""
    start: Mapping[str, float] = field(default_factory=dict)
    epochs: tuple[Entry, ...] = ()
    changes: tuple[tuple[int, Mapping[str, float]], ...] = ()
    pause: Entry | None = None
    has_ended: bool = False
    ids: Mapping[str, Entry] = field(default_factory=dict)
    rule_rollbacks: int = 0

    @property
    def epoch(self) -> int:
        """The number of epochs that are done."""
        return len(self.epochs)

    @property
    def loss(self) -> float | None:
        """The loss of the last epoch; None before the first."""
        return self.epochs[-1].loss if self.epochs else None

    def changes_before(self, epoch: int) -> dict[str, float]:
        """Return the new values of the hyperparameters that change right before an epoch."""
        return _merged(values for number, values in self.changes if number == epoch)

    def values_in(self, epoch: int) -> dict[str, float]:
        """Return all hyperparameters in an epoch."""
        return {**self.start, **_merged(v for number, v in self.changes if number <= epoch)}


def _merged(changes: Iterable[Mapping[str, float]]) -> dict[str, float]:
    return {name: value for values in changes for name, value in values.items()}


def follow(state: RunState, entry: Entry) -> RunState:
    """Return the state after an entry."""
    ids = {**state.ids, entry.id: entry} if entry.id else state.ids
    state = replace(state, ids=ids)
    values = {name: after for name, (_, after) in entry.changes.items()}
    resets = 0 if entry.by != "rule" else state.rule_rollbacks + 1
    if entry.kind == "start":
        return replace(state, run=entry.run, start=dict(entry.values))
    if entry.kind == "epoch":
        return replace(state, epochs=(*state.epochs, entry), has_ended=False)
    if entry.kind == "nudge":
        changes = (*state.changes, (entry.epoch, values))
        return replace(state, changes=changes, rule_rollbacks=resets)
    if entry.kind == "rollback":
        to = entry.to or 0
        changes = tuple(change for change in state.changes if change[0] <= to)
        return replace(
            state,
            epochs=state.epochs[:to],
            changes=(*changes, (to + 1, values)) if values else changes,
            has_ended=False,
            rule_rollbacks=resets,
        )
    if entry.kind in ("pause", "resume"):
        return replace(state, pause=entry if entry.kind == "pause" else None)
    return replace(state, has_ended=True) if entry.kind == "end" else state


def can_follow(state: RunState, entry: Entry) -> bool:
    """Return False for an entry that no training writes after this state.

    The first one is the start, an epoch has the next number, a rollback goes to one that is done,
    and only what the training started with changes.
    """
    if (entry.kind == "start") is bool(state.run):
        return False
    if entry.kind == "epoch" and entry.epoch != state.epoch + 1:
        return False
    if entry.kind == "rollback" and not 0 <= (entry.to or 0) <= state.epoch:
        return False
    return entry.changes.keys() <= state.start.keys()


def state_of(entries: Iterable[Entry]) -> RunState:
    """Return the state after all entries of a journal."""
    return reduce(follow, entries, RunState())
