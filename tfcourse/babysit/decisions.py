"""The decision about a command: the entry that it becomes, or the reason why it is refused."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tfcourse.babysit.commands import Command
from tfcourse.babysit.entries import Entry, now
from tfcourse.babysit.state import RunState
from tfcourse.errors import InputError, nearest, shown
from tfcourse.hyperparameters import HYPERPARAMETERS

__all__ = ["Situation", "check_changes", "decide", "listed"]


@dataclass(frozen=True)
class Situation:
    """The training at the moment of a decision, between two epochs.

    Attributes:
        state: Its state.
        epochs: The number of its last epoch.
        checkpoints: The epochs at whose ends there are checkpoints.
        batch: The entries of the commands that were decided at the same moment.
    """

    state: RunState
    epochs: int
    checkpoints: Collection[int] = ()
    batch: tuple[Entry, ...] = ()

    @property
    def next_epoch(self) -> int:
        """The epoch before which a command takes effect."""
        return self.state.epoch + 1


def decide(command: Command, situation: Situation) -> Entry:
    """Return the entry of a command.

    Raises:
        InputError: The command is refused: it is for another run, comes too late, has values that
            are not admissible, or contradicts another command or the state.
    """
    state = situation.state
    if command.run != state.run:
        raise InputError(
            f'The command is for the run "{command.run}", and this is the run "{state.run}": it '
            "was started over. Send the command again if it is meant for this one."
        )
    changes: dict[str, tuple[float, float]] = {}
    if command.kind in ("nudge", "pause", "resume") and state.epoch >= situation.epochs:
        raise InputError(_too_late(command.kind, situation.epochs))
    if command.kind == "rollback":
        _check_rollback(command.to, situation)
    if command.kind == "pause" and state.pause is not None:
        raise InputError(f"The training is already paused, before epoch {situation.next_epoch}.")
    if command.kind == "resume" and state.pause is None:
        raise InputError("The training is not paused.")
    if command.changes:
        target = command.to + 1 if command.to is not None else situation.next_epoch
        values = check_changes(command.changes, state.start)
        before = state.values_in(target - 1 if command.kind == "rollback" else target)
        changes = {name: (before[name], value) for name, value in values.items()}
        _check_conflicts(changes, situation)
    return Entry(
        kind=command.kind,
        time=now(),
        epoch=situation.next_epoch,
        loss=state.loss,
        id=command.id,
        changes=changes,
        to=command.to,
        text=command.text,
        because=command.because,
    )


def check_changes(changes: Mapping[str, Any], known: Iterable[str]) -> dict[str, float]:
    """Return the new values of hyperparameters.

    Args:
        changes: The values by name.
        known: The hyperparameters that can be changed without a new program.

    Raises:
        InputError: One of them can't be changed, or a value is not admissible.
    """
    names, values = list(known), {}
    for name, value in changes.items():
        if name not in names:
            raise InputError(
                f'"{name}" can\'t be changed during this training.{nearest(name, names)} '
                f"Hyperparameters that can: {', '.join(names) or 'none'}."
            )
        hyperparameter = HYPERPARAMETERS[name]
        is_zero_dropout = name == "dropout" and value == 0  # a layer with no dropout is left out
        if is_zero_dropout or not hyperparameter.admits(value):
            demand = "a number in (0, 1)" if name == "dropout" else hyperparameter.admissible
            raise InputError(f"{name} must be {demand}. Received: {shown(value)}.")
        values[name] = float(value)
    return values


def _check_rollback(to: int | None, situation: Situation) -> None:
    epoch = situation.state.epoch
    if to is None or to < 0 or to > epoch:
        raise InputError(
            f"A rollback returns to the end of an epoch from 0 to {epoch}, the last one that is "
            f"done. Received: {shown(to)}."
        )
    if any(entry.kind in ("nudge", "rollback") for entry in situation.batch):
        raise InputError(
            "Another command of the same moment has changed the training: a rollback would undo "
            "it. Send it again after the next epoch if it is still meant."
        )
    if to not in situation.checkpoints:
        raise InputError(
            f"The checkpoint of epoch {to} is gone: the number of checkpoints to keep limits them. "
            f"There are those of {listed(situation.checkpoints)}."
        )


def _check_conflicts(changes: Mapping[str, tuple[float, float]], situation: Situation) -> None:
    for entry in situation.batch:
        for name, (_, value) in entry.changes.items():
            if name in changes and changes[name][1] != value:
                raise InputError(
                    f"Another command of the same moment has set {name} to {value:g}. Send this "
                    "one again after the next epoch if it is still meant."
                )


def _too_late(kind: str, epochs: int) -> str:
    return (
        f"The command {kind} comes too late: the last epoch, {epochs}, is done. A rollback to an "
        "earlier epoch trains from there again."
    )


def listed(epochs: Collection[int]) -> str:
    """Return ``epoch 3``, or ``epochs 1, 4 to 6 and 9``; ``no epoch`` for none."""
    ranges: list[list[int]] = []
    for epoch in sorted(epochs):
        if ranges and epoch == ranges[-1][-1] + 1:
            ranges[-1] = [ranges[-1][0], epoch]
        else:
            ranges.append([epoch])
    texts = [" to ".join(map(str, numbers)) for numbers in ranges]
    if not texts:
        return "no epoch"
    noun = "epoch" if len(epochs) == 1 else "epochs"
    return f"{noun} {', '.join(texts[:-1])}{' and ' if texts[1:] else ''}{texts[-1]}"
