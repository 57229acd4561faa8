"""Errors of the user's input, and their messages: wrong value, admissible values, remedy."""

import difflib
import json
import re
import reprlib
import sys
import traceback
import warnings
from collections.abc import Iterable, Sized
from types import FrameType

__all__ = [
    "InputError",
    "WorkFailedError",
    "either",
    "encodable",
    "error_line",
    "error_text",
    "message_line",
    "nearest",
    "one_of",
    "shortened",
    "shown",
    "traceback_text",
    "warn",
]

# The lengths at which a message cuts a value and a reason.
LONGEST_VALUE, LONGEST_REASON = 200, 2000
GRAPH_ERROR = "Graph execution error:"
# The packages whose frames are not the user's, by the first part of a module's name.
NOT_THE_USERS = {"tfcourse", "keras", "keras_tuner", "tensorflow", "contextlib", "functools"}


class InputError(ValueError):
    """An error in the input (a config, an argument, the data); the message says how to correct it.

    The command line prints it without a traceback and exits with 2.
    """


class WorkFailedError(RuntimeError):
    """An error of the work with correct input; the command line exits with 1."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return ``' Did you mean "..."?'`` with the name closest to a typo, or nothing."""
    close = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""


def either(names: Iterable[str], kind: str = "") -> str:
    """Return ``the optimizer "a" or the optimizer "b"``, for the kind ``the optimizer``."""
    return " or ".join(f'{kind} "{name}"'.strip() for name in names)


def one_of(name: str, received: object, choices: Iterable[object]) -> str:
    """Return the message for a value that is none of the choices, which are written as in TOML."""
    choices = list(choices)
    names = [choice for choice in choices if isinstance(choice, str)]
    hint = nearest(received, names) if isinstance(received, str) else ""
    listed = ", ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
    return f"{name} must be one of {listed}. Received: {shown(received)}.{hint}"


def encodable(text: str) -> str:
    r"""Escape the characters that UTF-8 can't encode: a lone surrogate as ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shortened(text: str, longest: int) -> str:
    """Return the text, or the beginning of a longer one and its length."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


def shown(value: object) -> str:
    """Return the ``repr`` of a value for a message, shortened where it is too long; never raises.

    ``[0, 1, 2, 3, ...] (length 3000)``
    """
    large = isinstance(value, Sized) and _length(value) > LONGEST_VALUE
    try:
        text = "" if large else encodable(repr(value))
        if text and len(text) <= LONGEST_VALUE:
            return text
    except Exception:  # a repr of the user's, or a number of too many digits
        pass
    try:
        text = encodable(_SHORT.repr(value))
    except Exception:
        return f"<{type(value).__name__}>"
    text = shortened(text, LONGEST_VALUE)
    return f"{text} (length {_length(value)})" if isinstance(value, Sized) else text


def _length(value: Sized) -> int:
    try:
        return len(value)
    except Exception:
        return 0


def error_text(error: BaseException) -> str:
    """Return ``KeyError: 'units'`` for an error, also where its message itself raises an error."""
    message, name = _message(error).strip(), type(error).__name__
    return encodable(f"{name}: {message}" if message else f"{name} without a message")


def error_line(error: BaseException) -> str:
    """Return the type and `message_line` of an error, shortened where it is too long."""
    if not _message(error).strip():
        return error_text(error)
    return shortened(f"{type(error).__name__}: {message_line(error)}", LONGEST_REASON)


def message_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type and that it has none.

    An error in a TensorFlow graph begins with a call stack; its reason is at the end, before the
    name of the node.
    """
    lines = _message(error).strip().splitlines() or [error_text(error)]
    nodes = [number for number, line in enumerate(lines) if "[[{{node" in line]
    if lines[0].strip() == GRAPH_ERROR and nodes:
        return encodable(re.sub(r"\{\{function_node [^}]*\}\} ", "", lines[nodes[0] - 1]).strip())
    return encodable(lines[0])


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its message can't be shown)"


def traceback_text() -> str:
    """Return the traceback of the current error, as text that UTF-8 can encode."""
    try:
        return encodable(traceback.format_exc())
    except Exception:  # an attribute of the error raises
        return "(its traceback can't be shown)"


def warn(message: str) -> None:
    """Issue a ``UserWarning`` at the line of the user's code that called this library.

    It is the innermost frame of neither this library nor Keras or TensorFlow, or the outermost of
    all where the command line runs.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _package(frame) in NOT_THE_USERS:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


_SHORT = reprlib.Repr()
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = _SHORT.maxset = 8
_SHORT.maxstring = _SHORT.maxother = LONGEST_VALUE // 2
