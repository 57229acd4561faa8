"""Programs of Python that are started, watched and killed: forked from one that has TensorFlow.

An import of TensorFlow takes 3 to 4 s of a core, which hundreds of kills would be made of.
"""

import gc
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from tfcourse.bench.soak.processes import descendants, kill
from tfcourse.search.runtime.child import redirect_output
from tfcourse.search.runtime.process import without_main

__all__ = ["Program", "end", "end_of", "running", "start", "temporary_of", "wait_until"]

TICK = 0.02
# Nothing that a soak waits for takes longer on a busy machine.
LONGEST_WAIT = 180.0


class Program(Protocol):
    """A program that runs, as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """The process number."""

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""

    def wait(self) -> int | None:
        """Wait for its end, and return its exit status."""


class _Forked:
    """A module of Python that is run as ``python -m MODULE ...``, in a forked process."""

    def __init__(self, arguments: Sequence[str], log: Path, environ: Mapping[str, str]) -> None:
        context: Any = get_context("forkserver")
        context.set_forkserver_preload(["tfcourse.search.runtime.preload"])
        self._process = context.Process(target=_run, args=(list(arguments), log, dict(environ)))
        with without_main():
            self._process.start()

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def poll(self) -> int | None:
        status: int | None = self._process.exitcode
        return status

    def wait(self) -> int | None:
        self._process.join()
        return self.poll()


def _run(arguments: list[str], log: Path, environ: Mapping[str, str]) -> None:
    """Run a module in a process that has just been forked."""
    gc.freeze()  # else its end would look through all of TensorFlow
    redirect_output(log)
    os.environ.update(environ)
    tempfile.tempdir = None  # that of the environment
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the soak, which ends it
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def temporary_of(folder: Path) -> Path:
    """Return the folder of the temporary files of programs whose logs are in a folder."""
    return folder / "temporary"


def _alone(arguments: Sequence[str], log: Path, environ: Mapping[str, str]) -> Program:
    command, environ = [sys.executable, "-m", *arguments], {**os.environ, **environ}
    with log.open("a") as file:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environ
        )


def start(arguments: Sequence[str], log: Path, fork: bool = True) -> Program:
    """Start ``python -m`` with these arguments.

    Args:
        arguments: The module and its arguments.
        log: The file for what it prints, at its end; temporary files lie beside it.
        fork: Whether to fork it from a process that has TensorFlow.
    """
    temporary_of(log.parent).mkdir(exist_ok=True)
    environ = {"TMPDIR": str(temporary_of(log.parent))}
    return _Forked(arguments, log, environ) if fork else _alone(arguments, log, environ)


@contextmanager
def running(program: Program) -> Iterator[Program]:
    """Kill a program at the end, with all that it has started, unless it has ended."""
    try:
        yield program
    finally:
        end(program)


def end(program: Program) -> None:
    """Kill a program, with all that it has started, unless it has ended."""
    if program.poll() is None:
        for pid in (program.pid, *descendants(program.pid)):
            kill(pid)
    program.wait()


def wait_until(condition: Callable[[], bool], seconds: float = LONGEST_WAIT) -> bool:
    """Wait until a condition holds, and return whether it does after these seconds."""
    end = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < end:
        time.sleep(TICK)
    return holds


def end_of(log: Path, lines: int = 5) -> str:
    """Return the last lines that a program printed, in one line."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return " / ".join(text.strip().splitlines()[-lines:])
