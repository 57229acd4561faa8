"""Commands to a training, each a small JSON object; malformed ones are refused."""

import json
import secrets
import time
from typing import Any, Literal

from pydantic import Field

from tfcourse.errors import InputError, shown
from tfcourse.search.config.parsing import parse
from tfcourse.search.config.table import Table

__all__ = ["Command", "Kind", "create_command", "new_id", "parse_command"]

Kind = Literal["nudge", "rollback", "pause", "resume", "note"]
# The keys that belong to some kinds alone, and those of them that a kind requires.
_KEYS: dict[str, tuple[Kind, ...]] = {
    "changes": ("nudge", "rollback"),
    "to": ("rollback",),
    "text": ("note",),
}
_REQUIRED: dict[Kind, str] = {"nudge": "changes", "rollback": "to", "note": "text"}
LONGEST_TEXT = 10_000


class Command(Table):
    """A command to a training.

    Attributes:
        id: A name that no other command has.
        run: The id of the run that it is for.
        kind: The action.
        changes: The new values of hyperparameters by name, of a nudge or a rollback.
        to: The epoch whose end a rollback returns to; 0 is the beginning.
        text: The text of a note.
        because: The reason.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    run: str
    kind: Kind
    changes: dict[str, Any] = Field(default_factory=dict)
    to: int | None = None
    text: str = Field(default="", max_length=LONGEST_TEXT)
    because: str = Field(default="", max_length=LONGEST_TEXT)


def new_id() -> str:
    """Return an id; in the order of ids, commands are in the order of their times."""
    return f"{time.time_ns():020d}-{secrets.token_hex(4)}"


def parse_command(text: str) -> Command:
    """Return the command in a text.

    Raises:
        InputError: It is malformed: an error a line.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"The command is not a JSON object. Received: {shown(text)}.") from None
    return create_command(raw)


def create_command(raw: object) -> Command:
    """Return the command with these fields.

    Raises:
        InputError: They are malformed: an error a line.
    """
    command, errors = parse(Command, raw, "command")
    if not isinstance(command, Command):
        raise InputError("\n".join(errors))
    _check_keys(command)
    return command


def _check_keys(command: Command) -> None:
    """Check that a command has the keys of its kind, and no others.

    Raises:
        InputError: It lacks one, or has one of another kind.
    """
    for key, kinds in _KEYS.items():
        value = getattr(command, key)
        if command.kind not in kinds and value not in (None, "", {}):
            raise InputError(f"{key} is for {' and '.join(kinds)}. Received: {command.kind}.")
    required = _REQUIRED.get(command.kind)
    if required is not None and getattr(command, required) in (None, "", {}):
        received = ", ".join(key for key in _KEYS if getattr(command, key) not in (None, "", {}))
        raise InputError(
            f"A {command.kind} needs {_meaning(required)}. Received: {received or 'nothing'}."
        )


def _meaning(key: str) -> str:
    return {
        "changes": "a new value for at least one hyperparameter",
        "to": "the epoch to return to",
        "text": "a text",
    }[key]
