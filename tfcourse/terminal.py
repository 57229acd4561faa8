"""The parts that the commands share: consoles, exit codes, and a quiet TensorFlow."""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TextIO

import typer
from rich.text import Text

from tfcourse.console import PlainConsole, printable
from tfcourse.errors import InputError, WorkFailedError, shortened, traceback_text
from tfcourse.files import disk_error
from tfcourse.interrupts import redeliver_interrupts
from tfcourse.notices import tensorflow_start
from tfcourse.quiet import quiet_logger

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
    "result_stream",
    "signals_interrupt",
]

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130

# Longer lines of an error are cut; --debug shows all of them.
LONGEST_LINE = 2000

console = PlainConsole()
errors = PlainConsole(stderr=True)


@contextmanager
def reporting(debug: bool, quiet: bool = False, as_json: bool = False) -> Iterator[None]:
    """End the command with a message and its exit code: 2 for wrong input, 1 for failed work.

    A disk that is full or can't be written is failed work too. An interrupted command ends with
    130.

    Args:
        debug: True to print an error's whole traceback.
        quiet: True to print no warnings.
        as_json: True to print to stderr what is not printed to `result_stream`.
    """
    try:
        with (
            quiet_logger("tfcourse") if quiet else nullcontext(),
            _stdout_as_stderr(as_json),
            message_if_interrupted("Nothing was written; the same command starts over."),
        ):
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


# The stream that was stdout, inside `_stdout_as_stderr`.
_streams: list[TextIO] = []


def result_stream() -> TextIO:
    """Return the stream of the command's stdout, also where all else is printed to stderr."""
    return _streams[-1] if _streams else sys.stdout


@contextmanager
def _stdout_as_stderr(redirect: bool) -> Iterator[None]:
    """Print to stderr, except to `result_stream`; the programs that are started inside as well."""
    if not redirect:
        yield
        return
    with ExitStack() as stack:
        stdout = sys.stdout
        if isinstance(stdout, io.TextIOWrapper) and _descriptor(stdout) == 1:
            stdout.flush()
            own = os.dup(1)
            stack.callback(os.close, own)
            stack.callback(os.dup2, own, 1)
            os.dup2(2, 1)
            stdout = stack.enter_context(
                open(own, "w", encoding=stdout.encoding, errors="replace", closefd=False)
            )
        _streams.append(stdout)
        stack.callback(_streams.pop)
        stack.enter_context(redirect_stdout(sys.stderr))
        yield


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # a buffer
        return None


def _print_error(message: str) -> None:
    """Print the lines of an error, cut where one of another library is very long."""
    lines = [shortened(line, LONGEST_LINE) for line in printable(message).split("\n")]
    errors.print(Text.assemble(("Error:", "bold red"), " ", "\n".join(lines)), soft_wrap=True)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM and SIGHUP too, and again where a destructor dropped it.

    A signal that is ignored stays ignored: a command under ``nohup`` outlives its terminal.
    """

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    kinds = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    handled = [kind for kind in kinds if signal.getsignal(kind) is not signal.SIG_IGN]
    before = {kind: signal.signal(kind, interrupt) for kind in handled}
    try:
        with redeliver_interrupts():
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


def import_tensorflow(quiet: bool = False) -> None:
    """Import TensorFlow without the start-up lines that it writes to stderr.

    Args:
        quiet: True to say nothing of it.
    """
    with tensorflow_start("tfcourse", disable=quiet):
        import tensorflow  # noqa: F401  (imported for its start-up alone)
