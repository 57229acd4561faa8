"""The parts that the commands share: consoles, exit codes, and a quiet TensorFlow."""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
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
    "INTERRUPTED",
    "WRONG_INPUT",
    "console",
    "errors",
    "import_tensorflow",
    "message_if_interrupted",
    "ready_streams",
    "reporting",
    "signals_interrupt",
]

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130

# Longer lines of an error are cut; --debug shows all of them.
LONGEST_LINE = 2000

console = PlainConsole()
errors = PlainConsole(stderr=True)


@contextmanager
def reporting(debug: bool) -> Iterator[None]:
    """End the command with a message and its exit code: 2 for wrong input, 1 for failed work.

    A disk that is full or can't be written is failed work too. An interrupted command ends with
    130.
    """
    try:
        with message_if_interrupted("Nothing was written; the same command starts over."):
            yield
    except (InputError, WorkFailedError, OSError) as error:
        reason = disk_error(error) if isinstance(error, OSError) else error
        if reason is None:
            raise
        if debug:
            errors.print(traceback_text(), end="", highlight=False, soft_wrap=True)
        else:
            _print_error(str(reason))
        code = WRONG_INPUT if isinstance(error, InputError) else FAILED
        raise typer.Exit(code) from None


def _print_error(message: str) -> None:
    """Print the lines of an error, cut where one of another library is very long."""
    lines = [shortened(line, LONGEST_LINE) for line in printable(message).split("\n")]
    errors.print(Text.assemble(("Error:", "bold red"), " ", "\n".join(lines)), soft_wrap=True)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM and SIGHUP too; a signal that is ignored stays ignored.

    So a command under ``nohup`` outlives its terminal.
    """

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    kinds = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    handled = [kind for kind in kinds if signal.getsignal(kind) is not signal.SIG_IGN]
    before = {kind: signal.signal(kind, interrupt) for kind in handled}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


@contextmanager
def message_if_interrupted(message: str | Callable[[], str]) -> Iterator[None]:
    """End an interrupted command with its exit code and a message about the rest of its work.

    Args:
        message: The message, or a function that returns it after the interruption.
    """
    try:
        yield
    except KeyboardInterrupt:
        text = message if isinstance(message, str) else message()
        errors.print(f"\nInterrupted. {text}", highlight=False, soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def ready_streams() -> None:
    """Let the standard streams of a process accept every text.

    stdout shows a question mark for a character that its encoding lacks, such as a result's "±" or
    "–". A closed stderr is opened on the null device: otherwise the next file to be opened would
    get its number, and with it the lines that TensorFlow writes.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (until the end)
        os.set_inheritable(sys.stderr.fileno(), True)


def import_tensorflow() -> None:
    """Import TensorFlow without the start-up lines that it writes to stderr."""
    with quiet_start():
        import tensorflow  # noqa: F401  (imported for its start-up alone)
