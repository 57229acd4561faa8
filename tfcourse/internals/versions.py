"""The internal names in use, and the error where an installed version lacks one."""

import functools
import re
from collections.abc import Callable, Iterator
from importlib.metadata import requires, version
from typing import ParamSpec, TypeVar

from tfcourse.errors import WorkFailedError

__all__ = ["USES", "UnsupportedVersionError", "supported", "uses"]

P = ParamSpec("P")
R = TypeVar("R")

# By the function that uses them, the names it declares.
USES: dict[str, tuple[str, ...]] = {}


class UnsupportedVersionError(WorkFailedError):
    """The installed Keras or TensorFlow lacks an internal name that tfcourse uses."""


def uses(*names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare the internal names that a function uses.

    Where one is missing, the function raises `UnsupportedVersionError` instead of the
    ``AttributeError`` or ``ImportError``.

    Args:
        *names: Each from its package on, such as ``"keras.Layer._flatten_layers"``. An attribute
            of instances only stands with their class: ``"keras.Model._compile_loss"``.
    """
    attributes = {name.rpartition(".")[2]: name for name in names}

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        USES[f"{function.__module__}.{function.__qualname__}"] = names

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except AttributeError as error:
                if error.name not in attributes:
                    raise
                raise UnsupportedVersionError(_message(attributes[error.name])) from error
            except ImportError as error:
                missing = next((name for name in names if name.startswith(f"{error.name}.")), "")
                if not missing:
                    raise
                raise UnsupportedVersionError(_message(missing)) from error

        return call

    return declare


def supported() -> dict[str, str]:
    """Return the versions that tfcourse's metadata asks for, such as ``{"keras": ">=3.15"}``."""
    return dict(_requirements())


def _requirements() -> Iterator[tuple[str, str]]:
    for requirement in requires("tfcourse") or ():
        match = re.fullmatch(r"(keras|tensorflow)\s*\(?([<>=!~][^;)]*)\)?\s*", requirement)
        if match:
            yield match[1], match[2].strip()


def _message(name: str) -> str:
    package, _, inner = name.partition(".")
    bounds = supported().get(package, "")
    lowest = re.search(r">=\s*([\d.]+)", bounds)
    remedy = f' Install one that has it: pip install "{package}~={lowest[1]}.0".' if lowest else ""
    return (
        f"{package} {version(package)} has no {inner}, which tfcourse {version('tfcourse')} uses; "
        f"it was made for {package}{bounds}.{remedy}"
    )
