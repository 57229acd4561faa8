"""Commands from another process than the one that trains."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tfcourse.babysit.commands import Command, Kind, create_command, new_id
from tfcourse.babysit.decisions import check_changes
from tfcourse.babysit.folders import RunFolder
from tfcourse.babysit.journal import read_journal
from tfcourse.babysit.state import state_of
from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.store.owner import Owner, find_owner

__all__ = ["Reply", "address", "send"]

SECONDS_BETWEEN_LOOKS = 0.05


@dataclass(frozen=True)
class Reply:
    """The reply to a command that was not refused.

    Attributes:
        status: ``"accepted"``; ``"pending"`` if a babysitter runs and has not answered yet;
            ``"left"`` if none runs, and the command is left for the next one.
        message: The effect in words.
        epoch: The epoch before which an accepted command takes effect; None for others.
    """

    status: Literal["accepted", "pending", "left"]
    message: str
    epoch: int | None = None


def address(directory: Path, kind: Kind, can_continue: bool = False, **fields: Any) -> Command:
    """Return a command for the run in a directory, checked as far as the journal tells.

    Args:
        directory: The run directory of a babysitter.
        kind: The action.
        can_continue: Whether a run that has ended may be trained for more epochs.
        fields: The other attributes of `Command`.

    Raises:
        InputError: It is not such a directory, or the command would be refused.
    """
    folder = RunFolder(directory)
    folder.check_journal()
    state = state_of(read_journal(folder.journal))
    command = create_command({**fields, "kind": kind, "id": new_id(), "run": state.run})
    check_changes(command.changes, state.start)
    if state.has_ended and not can_continue and kind in ("nudge", "pause", "resume"):
        raise InputError(
            f"{directory}: the training has ended after epoch {state.epoch}, and takes no {kind}. "
            "A rollback --no-wait, and the same babysit again, train from an earlier epoch."
        )
    return command


def send(directory: Path, command: Command, wait: float) -> Reply:
    """Send a command, and wait for the answer.

    Args:
        directory: The run directory.
        command: The command.
        wait: The seconds to wait; with 0 it is left for the next babysitter if none runs.

    Raises:
        InputError: It is refused.
        WorkFailedError: No babysitter runs there; the command is withdrawn.
    """
    folder, end = RunFolder(directory), time.monotonic() + wait
    owner = find_owner(directory)
    if owner.searches is False and wait:
        raise _is_alone(directory)
    folder.send(command)
    while (answer := folder.read_answer(command)) is None and time.monotonic() < end:
        owner = find_owner(directory)
        if owner.searches is False and folder.withdraw(command):
            raise _is_alone(directory)
        time.sleep(SECONDS_BETWEEN_LOOKS)
    if answer is None:
        return _unanswered(owner, wait)
    if not answer.accepted:
        raise InputError(answer.message)
    return Reply("accepted", answer.message, answer.epoch)


def _unanswered(owner: Owner, wait: float) -> Reply:
    if owner.searches is False:
        return Reply("left", "No babysitter runs there: the command is left for its next start.")
    text = f"No answer in {wait:g} s" if wait else "Sent"
    return Reply("pending", f"{text}: the command is decided about when the epoch ends.")


def _is_alone(directory: Path) -> WorkFailedError:
    return WorkFailedError(
        f"No babysitter runs in {directory}: nothing was changed. Start it with: tfcourse babysit "
        "CONFIG; or leave the command for its next start with --no-wait."
    )
