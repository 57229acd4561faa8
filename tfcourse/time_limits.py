"""A limit on the seconds that the user's code may take while it runs in this process."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

from tfcourse.errors import InputError

__all__ = ["TimeLimitError", "limited", "limits_now", "time_limit"]

# Code that catches the first interruption, as with a bare "except:", gets another after a second.
REPEAT_SECONDS = 1.0


@dataclass(frozen=True)
class _Limit:
    """A limit, and what took longer."""

    seconds: float
    remedy: str
    exceeded: set[str] = field(default_factory=set)


class TimeLimitError(InputError):
    """The code inside `limited` took longer than the limit."""


class _TimeUp(BaseException):
    """The limit has passed; ``except Exception`` in the user's code must not catch it."""


_LIMIT: ContextVar[_Limit | None] = ContextVar("_LIMIT", default=None)


@contextmanager
def time_limit(seconds: float, remedy: str) -> Iterator[None]:
    """Apply a limit to each `limited` call inside.

    Args:
        seconds: How long each may take.
        remedy: A sentence for the message, on how to allow more.
    """
    token = _LIMIT.set(_Limit(seconds, remedy))
    try:
        yield
    finally:
        _LIMIT.reset(token)


def limits_now() -> bool:
    """Return True if `limited` would end what runs inside it.

    That needs a `time_limit`, the main thread, and a platform that has alarms (not Windows), on
    which no other one is set.
    """
    return (
        _LIMIT.get() is not None
        and threading.current_thread() is threading.main_thread()
        and sys.platform != "win32"
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
        and signal.getsignal(signal.SIGALRM) is not None  # set in native code, and lost if replaced
    )


@contextmanager
def limited(key: str, what: str) -> Iterator[None]:
    """Raise TimeLimitError if the code inside takes longer than the `time_limit`, see `limits_now`.

    An alarm (``SIGALRM``) interrupts Python code and the waiting of Python's own functions: sleep,
    sockets, locks, subprocesses. A call that stays in native code is interrupted when it returns
    to Python. What took too long is not tried again under the same limit.

    Args:
        key: The config's key, for the message.
        what: The beginning of a sentence that ends with "did not end in 20 s".
    """
    limit = _LIMIT.get()
    if limit is None or sys.platform == "win32" or not limits_now():
        yield
        return
    error = TimeLimitError(f"{key}: {what} did not end in {limit.seconds:g} s. {limit.remedy}")
    if what in limit.exceeded:
        raise error

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit.seconds, REPEAT_SECONDS)
    try:
        try:
            yield
        finally:
            # The code inside may have set an alarm of its own, which is to stay.
            if signal.getsignal(signal.SIGALRM) is interrupt:
                signal.setitimer(signal.ITIMER_REAL, 0)
    except _TimeUp:
        limit.exceeded.add(what)
        raise error from None
    finally:
        if signal.getsignal(signal.SIGALRM) is interrupt:
            signal.signal(signal.SIGALRM, before)
