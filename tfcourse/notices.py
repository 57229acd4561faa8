"""Texts on stderr that name the work in progress: erased at its end, a line in a pipe."""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from tfcourse.console import PlainConsole, printable
from tfcourse.quiet import quiet_start

__all__ = ["notice", "tensorflow_start", "working"]

# Work that is done sooner needs no words.
SECONDS_BEFORE = 1.0


@contextmanager
def notice(text: str, disable: bool = False) -> Iterator[None]:
    """Show a text on stderr at once; on a terminal it is erased at the end.

    No thread draws it: what TensorFlow prints on its start, and the text with it, is hidden.
    """
    if disable:
        yield
        return
    console = PlainConsole(stderr=True)
    if not console.is_terminal:
        console.print(text, highlight=False, soft_wrap=True)
        yield
        return
    console.print(text, end="\r", style="dim", markup=False, highlight=False, overflow="ellipsis")
    try:
        yield
    finally:
        console.control(Control((ControlType.ERASE_IN_LINE, 2)))


@contextmanager
def tensorflow_start(name: str, disable: bool = False) -> Iterator[None]:
    """Show a `notice` while TensorFlow is imported inside, without what it prints on its start."""
    with (
        notice(f"{name}: loading TensorFlow", disable or "tensorflow" in sys.modules),
        quiet_start(),
    ):
        yield


@contextmanager
def working(text: str, disable: bool = False, after: float = SECONDS_BEFORE) -> Iterator[None]:
    """Show a text on stderr once the work inside has taken some seconds, on a terminal a spinner.

    Args:
        text: The text.
        disable: True to show nothing.
        after: The seconds.
    """
    if disable:
        yield
        return
    console = PlainConsole(stderr=True)
    spinners = ExitStack()

    def show() -> None:
        if console.is_terminal:
            # Made only now: rich imports eight modules for it, and takes strings for markup.
            spinners.enter_context(console.status(Text(printable(text))))
        else:
            console.print(text, highlight=False, soft_wrap=True)

    timer = threading.Timer(after, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        spinners.close()
