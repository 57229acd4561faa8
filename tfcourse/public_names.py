"""The public names of a package, each loaded on first use."""

import sys
from collections.abc import Callable
from typing import Any

import lazy_loader

from tfcourse.backend import check_backend

__all__ = ["attach_stub"]


def attach_stub(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package, from its ``__init__.pyi``.

    As ``lazy_loader.attach_stub``, but a name that imports Keras raises InputError, with the
    remedy, under another backend than TensorFlow, installed or not.

    Args:
        package: The package's ``__name__``.
        file: Its ``__file__``.
    """
    load, list_names, names = lazy_loader.attach_stub(package, file)

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            loaded = load(name)
        except (ImportError, ValueError):
            check_backend()
            raise
        if "keras" in sys.modules:
            check_backend()
        return loaded

    return get, list_names, names
