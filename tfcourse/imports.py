"""Functions of the user's own, named as ``package.module:function``."""

import importlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from tfcourse.errors import InputError, error_text, nearest
from tfcourse.quiet import quiet_start
from tfcourse.time_limits import TimeLimitError, limited, limits_now

__all__ = ["exit_as_error", "load_function", "search_modules_in"]


@contextmanager
def exit_as_error() -> Iterator[None]:
    """Raise a ``RuntimeError`` where the user's code inside calls ``sys.exit`` or ``os._exit``.

    Either would end the command without a message, with exit code 0 if none is passed.
    ``os._exit`` keeps its meaning in other threads, in processes that are forked inside, and where
    a module bound it to a name of its own before.
    """
    before = os._exit, _GUARDED.process
    os._exit, _GUARDED.process = _exit_if_unguarded, os.getpid()
    try:
        yield
    except _ProcessExit as error:
        raise RuntimeError(str(error)) from error
    except SystemExit as error:
        code = "" if error.code is None else repr(error.code)
        raise RuntimeError(f"sys.exit({code}) was called") from error
    finally:
        os._exit, _GUARDED.process = before


class _ProcessExit(BaseException):
    """``os._exit`` was called; ``except Exception`` in the user's code must not catch it."""


class _Guarded(threading.local):
    """The id of the process whose thread is inside `exit_as_error`; 0 outside."""

    process = 0


_GUARDED = _Guarded()
_EXIT = os._exit


def _exit_if_unguarded(status: int) -> NoReturn:
    """Raise `_ProcessExit` inside `exit_as_error`, and call ``os._exit`` elsewhere.

    Modules that the user's code imports may keep a reference to it.
    """
    if _GUARDED.process != os.getpid():
        _EXIT(status)
    raise _ProcessExit(f"os._exit({status!r}) was called, which ends the process")


def search_modules_in(folder: Path) -> None:
    """Let Python find modules in a folder too, after all others: no module hides another's."""
    path = str(folder.resolve())
    if path not in sys.path:
        sys.path.append(path)


def load_function(name: str, key: str) -> Any:
    """Import the function ``package.module:function``, also from the current folder.

    For other folders see `search_modules_in`.

    It may also be an object that builds models, such as keras-tuner's ``HyperModel``, or a
    callback.

    Args:
        name: The module and the function.
        key: The config's key, for the message.

    Raises:
        InputError: The module can't be imported, or not within the `time_limit`; or it has no such
            function.
    """
    module_name, _, function_name = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        # It may be the first that imports TensorFlow.
        with quiet_start(), exit_as_error():
            if limits_now():
                importlib.import_module("keras")  # whose start the limit does not count
            with limited(key, f'the import of the module "{module_name}"'):
                module = importlib.import_module(module_name)
    except TimeLimitError:
        raise
    except Exception as error:
        raise InputError(
            f'{key}: the module "{module_name}" can\'t be imported '
            f"({error_text(error)}). It is searched in the current folder, beside "
            "the config, and among the installed packages."
        ) from error
    function: Any = getattr(module, function_name, None)
    has_use = any(callable(getattr(function, name, None)) for name in ("build", "set_model"))
    if not callable(function) and not has_use:
        functions = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise InputError(
            f'{key}: the module "{module_name}" has no function "{function_name}".'
            f"{nearest(function_name, functions)}"
        )
    return function
