"""A Ctrl-C that Python drops, given again."""

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["redeliver_interrupts"]

# By then the destructor that dropped the interruption has ended.
SECONDS_BEFORE = 0.05


@contextmanager
def redeliver_interrupts() -> Iterator[None]:
    """Raise a KeyboardInterrupt again that a destructor dropped.

    Python reports an exception in ``__del__`` to `sys.unraisablehook`, and continues. TensorFlow's
    compiled functions have a ``__del__`` that takes long enough to be hit: of 72 signals at random
    moments of searches that build a model for each trial, it dropped five.
    """
    before = sys.unraisablehook

    def report(dropped: "UnraisableHookArgs") -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            before(dropped)
            return
        timer = threading.Timer(SECONDS_BEFORE, _interrupt)
        timer.daemon = True
        timer.start()

    sys.unraisablehook = report
    try:
        yield
    finally:
        sys.unraisablehook = before


def _interrupt() -> None:
    """Interrupt the main thread, also one that sleeps or waits where the system can do that."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()  # a thread that sleeps sees it at the end of its sleep
