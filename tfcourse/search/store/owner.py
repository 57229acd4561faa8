"""The process that searches in a run directory, found without touching its lock."""

import os
import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tfcourse.files import read_file

__all__ = ["Owner", "find_owner", "is_alive"]

LOCKS = Path("/proc/locks")


@dataclass(frozen=True)
class Owner:
    """The process that searches, as far as it is known.

    Attributes:
        text: ``"process 12 on name"``; empty if it is not known.
        searches: True or False if that is known; None on another machine, and on Windows while
            there is a file of a process.
        since: The time at which it began, in seconds since 1970; None if it is not known.
    """

    text: str
    searches: bool | None
    since: float | None = None


def find_owner(directory: Path, locks: Path = LOCKS) -> Owner:
    """Return the process that holds the lock of a run directory.

    The lock itself is not tried: a search that began at this moment would fail. The file of
    `tfcourse.search.store.lock` names the process, and Linux lists the locks that are held.

    Args:
        directory: The run directory.
        locks: The system's list of locks, which need not exist.
    """
    real = Path(os.path.realpath(directory))
    try:
        file = real.with_name(f".{real.name}.lock")
        text = read_file(file).decode("utf-8", "replace").strip()
        entry = file.stat()
    except FileNotFoundError:
        return Owner("", False)
    except OSError:
        return Owner("", None)
    match = re.fullmatch(r"process ([0-9]{1,10}) on (.+)", text)
    # Windows has no list of locks, and would send the process an interruption for signal 0.
    if match is None or match[2] != socket.gethostname() or sys.platform == "win32":
        return Owner(text if match else "", None, entry.st_mtime)
    searches = is_alive(int(match[1])) and _holds(int(match[1]), entry.st_ino, locks)
    return Owner(text, searches, entry.st_mtime)


def is_alive(process: int, kill: Callable[[int, int], None] = os.kill) -> bool:
    """Return True if there is a process of this number. Not for Windows, where this would end it.

    Args:
        process: The number.
        kill: Sends a signal to a process.
    """
    try:
        kill(process, 0)  # signal 0 is none: the call only checks that there is the process
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _holds(process: int, inode: int, locks: Path) -> bool:
    """Return False if the system's list shows that a process has no lock on a file."""
    with suppress(OSError):
        lines = locks.read_text(encoding="utf-8").splitlines()
        # 1: FLOCK  ADVISORY  WRITE 26691 fe:00:3080250 0 EOF
        return any(
            fields[4] == str(process) and fields[5].rpartition(":")[2] == str(inode)
            for fields in map(str.split, lines)
            if len(fields) > 5
        )
    return True
