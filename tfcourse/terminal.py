"""What the commands share: consoles, exit codes, and a quiet TensorFlow."""

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.text import Text

from tfcourse.console import PlainConsole, printable
from tfcourse.errors import InputError, WorkFailedError, shortened, traceback_text
from tfcourse.files import disk_error
from tfcourse.quiet import quiet_start

__all__ = [
    "FAILED",
    "WRONG_INPUT",
    "console",
    "errors",
    "import_tensorflow",
    "ready_streams",
    "reporting",
    "signals_interrupt",
    "told_if_interrupted",
]

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130

# A longer line of an error is cut; --debug shows all of it.
LONGEST_LINE = 2000

console = PlainConsole()
errors = PlainConsole(stderr=True)


@contextmanager
def reporting(debug: bool) -> Iterator[None]:
    """Ends the command with a message and its exit code: 2 for wrong input, 1 for failed work.

    What the disk refuses (it is full, or may not be written) is failed work too. Interrupted, the
    command ends with 130.
    """
    try:
        with told_if_interrupted("Nothing was written; the same command starts over."):
            yield
    except (InputError, WorkFailedError, OSError) as error:
        told = disk_error(error) if isinstance(error, OSError) else error
        if told is None:
            raise
        if debug:
            errors.print(traceback_text(), end="", highlight=False, soft_wrap=True)
        else:
            _print_error(str(told))
        code = WRONG_INPUT if isinstance(error, InputError) else FAILED
        raise typer.Exit(code) from None


def _print_error(said: str) -> None:
    """Print the lines of an error; of other people's errors one may be very long."""
    lines = [shortened(line, LONGEST_LINE) for line in printable(said).split("\n")]
    errors.print(Text.assemble(("Error:", "bold red"), " ", "\n".join(lines)), soft_wrap=True)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Has the signals that ask for an end do what Ctrl-C does; one that is ignored stays so.

    So ``nohup`` keeps its promise.
    """

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    kinds = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    heard = [kind for kind in kinds if signal.getsignal(kind) is not signal.SIG_IGN]
    before = {kind: signal.signal(kind, interrupt) for kind in heard}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


@contextmanager
def told_if_interrupted(said: str) -> Iterator[None]:
    """Ends an interrupted command with its exit code and a word on what is left of its work."""
    try:
        yield
    except KeyboardInterrupt:
        errors.print(f"\nInterrupted. {said}", highlight=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def ready_streams() -> None:
    """Makes the standard streams of a process take whatever is written to them.

    stdout shows a question mark for what its encoding lacks, as a result's "±" or "–". A stderr
    that is closed leads nowhere: else the next file to be opened had its number, and got what
    TensorFlow writes to it.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (until the end)
        os.set_inheritable(sys.stderr.fileno(), True)


def import_tensorflow() -> None:
    """Imports TensorFlow without the start-up lines that it writes to stderr."""
    with quiet_start():
        import tensorflow  # noqa: F401  (imported for its start-up alone)
