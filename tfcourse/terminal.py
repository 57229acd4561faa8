"""What the commands share: consoles, exit codes, and a quiet TensorFlow."""

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.quiet import quiet_start

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "WRONG_INPUT",
    "console",
    "errors",
    "import_tensorflow",
    "reporting",
    "signals_interrupt",
]

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130

console = Console()
errors = Console(stderr=True)


@contextmanager
def reporting(debug: bool) -> Iterator[None]:
    """Ends the command with a message and its exit code: 2 for wrong input, 1 for failed work."""
    try:
        yield
    except (InputError, WorkFailedError) as error:
        if debug:
            traceback.print_exc()
        else:
            errors.print(
                f"[bold red]Error:[/] {escape(str(error))}", highlight=False, soft_wrap=True
            )
        code = WRONG_INPUT if isinstance(error, InputError) else FAILED
        raise typer.Exit(code) from None


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


def import_tensorflow() -> None:
    """Imports TensorFlow without the start-up lines that it writes to stderr."""
    with quiet_start():
        import tensorflow  # noqa: F401  (imported for its start-up alone)
