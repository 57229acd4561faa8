"""How a user's mistake is reported: what was wrong, what was received, what is allowed."""

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = ["InputError", "WorkFailedError", "either", "nearest", "one_of"]


class InputError(ValueError):
    """The input (a config, an argument, the data) is wrong; the message says how to mend it.

    The command line prints it without a traceback and exits with 2.
    """


class WorkFailedError(RuntimeError):
    """The input was right but the work failed; the command line exits with 1."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``' Did you mean "..."?'`` with the known name closest to a typo, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""


def either(names: Iterable[str], kind: str = "") -> str:
    """``the optimizer "a" or the optimizer "b"``, where the kind is ``the optimizer``."""
    return " or ".join(f'{kind} "{name}"'.strip() for name in names)


def one_of(name: str, received: Any, known: Iterable[str]) -> str:
    """A message for a name that is none of the known ones."""
    known = list(known)
    hint = nearest(received, known) if isinstance(received, str) else ""
    listed = ", ".join(f'"{k}"' for k in known)
    return f"{name} must be one of {listed}. Received: {received!r}.{hint}"
