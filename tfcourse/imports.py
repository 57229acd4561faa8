"""Functions of the user's own, named as ``package.module:function``."""

import importlib
import sys
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError, nearest
from tfcourse.quiet import quiet_start

__all__ = ["load_function"]


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
        with quiet_start():
            module = importlib.import_module(module_name)
    except Exception as error:
        raise InputError(
            f'{key}: the module "{module_name}" can\'t be imported '
            f"({type(error).__name__}: {error}). It is searched in the current folder and among "
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
