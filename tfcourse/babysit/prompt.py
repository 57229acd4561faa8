"""Commands that are typed into the terminal of a training while it runs."""

import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tfcourse.babysit.client import address
from tfcourse.babysit.commands import Kind
from tfcourse.babysit.folders import RunFolder
from tfcourse.errors import InputError, shown

__all__ = ["HELP", "parse_line", "typed_commands"]

HELP = """\
learning-rate 0.003 beta-1 0.95   new values of hyperparameters, from the next epoch on
rollback 4                        return to the end of epoch 4; rollback 4 learning-rate 0.001
pause, resume                     wait before the next epoch, and continue
note TEXT                         a text for the journal
A line may end with "because REASON". Ctrl-C ends the training; the same command continues."""
SECONDS_BETWEEN_LOOKS = 0.2


def parse_line(line: str) -> tuple[Kind, dict[str, Any]]:
    """Return the kind and the fields of the command in a line.

    Raises:
        InputError: It is none.
    """
    text, _, because = line.strip().partition(" because ")
    fields: dict[str, Any] = {"because": because.strip()} if because.strip() else {}
    word, _, rest = text.strip().partition(" ")
    words = rest.split()
    if word == "note":
        return "note", {"text": line.strip().partition(" ")[2].strip()}
    if word in ("pause", "resume"):
        if words:
            raise InputError(f"{word} takes nothing else. Received: {shown(rest)}.")
        return ("pause" if word == "pause" else "resume"), fields
    if word == "rollback":
        if not words or not words[0].isdecimal():
            raise InputError(f'Type "rollback EPOCH", such as rollback 4. Received: {shown(rest)}.')
        return "rollback", {**fields, "to": int(words[0]), "changes": _changes(words[1:])}
    pairs = words if word == "nudge" else [word, *words]
    return "nudge", {**fields, "changes": _changes(pairs)}


def _changes(words: list[str]) -> dict[str, float | str]:
    """Return the values of words that are names and numbers by turns; a text for no number."""
    if len(words) % 2:
        raise InputError(
            f"Type names and values, such as learning-rate 0.003; or help. Received: "
            f"{shown(' '.join(words))}."
        )
    names = [name.lstrip("-").replace("-", "_") for name in words[::2]]
    return {name: _number(value) for name, value in zip(names, words[1::2], strict=True)}


def _number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


@contextmanager
def typed_commands(directory: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Send what is typed into the terminal as commands to the run in a directory.

    Without a terminal on stdin nothing is read, nor while the process is in the background.

    Args:
        directory: The run directory.
        say: Prints an answer to the person at the terminal.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        yield
        return
    if sys.platform == "win32":  # which can't wait for a terminal and for the training's end
        say(
            "On Windows commands can't be typed here. They can be sent from another terminal: "
            f"tfcourse nudge {directory}"
        )
        yield
        return
    ended = threading.Event()
    say('Commands can be typed here while it trains: "help" lists them.')
    thread = threading.Thread(target=_read, args=(directory, say, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _read(directory: Path, say: Callable[[str], None], ended: threading.Event) -> None:
    descriptor, pending = sys.stdin.fileno(), b""
    while not ended.is_set():
        if not _is_in_foreground(descriptor):  # to read would stop the process
            ended.wait(SECONDS_BETWEEN_LOOKS)
            continue
        if not select.select([descriptor], [], [], SECONDS_BETWEEN_LOOKS)[0]:
            continue
        content = os.read(descriptor, 4096)
        if not content:  # Ctrl-D
            return
        *lines, pending = (pending + content).split(b"\n")
        for line in lines:
            _answer(directory, line.decode("utf-8", "replace"), say)


def _is_in_foreground(descriptor: int) -> bool:
    if sys.platform != "win32":
        with suppress(OSError):
            return os.tcgetpgrp(descriptor) == os.getpgrp()
    return False


def _answer(directory: Path, line: str, say: Callable[[str], None]) -> None:
    """Send the command of a line, or say why it is none."""
    if not line.strip():
        return
    if line.strip() in ("help", "?"):
        say(HELP)
        return
    try:
        kind, fields = parse_line(line)
        if not RunFolder(directory).journal.is_file():
            raise InputError("The training has not begun yet. Type it again when it has.")
        RunFolder(directory).send(address(directory, kind, **fields))
    except InputError as error:
        say(f"Refused: {error}")
