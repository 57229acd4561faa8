"""The processes of this machine, as Linux lists them in ``/proc``."""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Usage", "descendants", "kill", "lives", "usage_of", "workers_of"]

PROC = Path("/proc")


@dataclass(frozen=True)
class Usage:
    """The resources of processes.

    Attributes:
        memory: Bytes of memory (resident, also those that they share).
        files: Open files.
        threads: Threads.
    """

    memory: int = 0
    files: int = 0
    threads: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.memory + other.memory, self.files + other.files, self.threads + other.threads
        )


def descendants(pid: int) -> dict[int, int]:
    """Return the processes that one has started, directly or through others, and who did."""
    parents = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):  # it has ended
                parents[int(entry.name)] = int(_stat(int(entry.name))[1])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return {child: parents[child] for child in sorted(family - {pid})}


def lives(pid: int) -> bool:
    """Return whether a process has not ended; one that nobody has waited for has."""
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def usage_of(pid: int) -> Usage:
    """Return what a process holds; nothing if it has ended."""
    folder = PROC / str(pid)
    try:
        lines = (folder / "status").read_text(encoding="utf-8").splitlines()
        status = dict(line.split(":", 1) for line in lines)
        files = len([*(folder / "fd").iterdir()])
        return Usage(int(status["VmRSS"].split()[0]) * 1024, files, int(status["Threads"]))
    except (OSError, LookupError):  # it ends
        return Usage()


def workers_of(pid: int) -> dict[str, int]:
    """Return the workers of a search's command by their names: those that print into their logs."""
    workers = {}
    for child in descendants(pid):
        with suppress(OSError):
            log = (PROC / str(child) / "fd" / "1").readlink()
            is_log = log.parent.name == "logs" or log.parent.name.startswith("tfcourse-")
            if is_log and log.suffix == ".log":
                workers[log.stem] = child
    return workers


def kill(pid: int) -> None:
    """End a process at once, as ``kill -9`` does, unless it has ended."""
    if sys.platform != "win32":
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _stat(pid: int) -> list[str]:
    """Return the fields of a process after its name: its state, its parent and so on."""
    return (PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
