"""Functions of the user's own, named as ``package.module:function``."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError, error_text, nearest
from tfcourse.quiet import quiet_start

__all__ = ["exit_as_error", "load_function"]


@contextmanager
def exit_as_error() -> Iterator[None]:
    """Raise a ``RuntimeError`` where the user's code inside calls ``sys.exit``.

    It would end the command without a word, with the exit code of a success if it gives none.
    ``os._exit`` ends the process at once, and nothing in it can tell: a search with workers counts
    it as the death of one.
    """
    try:
        yield
    except SystemExit as error:
        code = "" if error.code is None else repr(error.code)
        raise RuntimeError(f"sys.exit({code}) was called") from error


def load_function(name: str, key: str) -> Any:
    """The function that ``package.module:function`` names; the current folder is searched too.

    An object that builds models (keras-tuner's ``HyperModel``) will do as well.

    Args:
        name: The module and the function.
        key: The config's key, for the message.

    Raises:
        InputError: The module can't be imported, or has no such function.
    """
    module_name, _, function_name = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        # It may be the first that imports TensorFlow.
        with quiet_start(), exit_as_error():
            module = importlib.import_module(module_name)
    except Exception as error:
        raise InputError(
            f'{key}: the module "{module_name}" can\'t be imported '
            f"({error_text(error)}). It is searched in the current folder and among "
            "the installed packages."
        ) from error
    function: Any = getattr(module, function_name, None)
    if not callable(function) and not callable(getattr(function, "build", None)):
        functions = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise InputError(
            f'{key}: the module "{module_name}" has no function "{function_name}".'
            f"{nearest(function_name, functions)}"
        )
    return function
