"""The public names of a package, each loaded on first use."""

from collections.abc import Callable
from typing import Any

import lazy_loader

__all__ = ["attach_stub"]


def attach_stub(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package, from its ``__init__.pyi``.

    As ``lazy_loader.attach_stub``, but a name that can't be loaded because of Keras's backend,
    which may not be installed, raises InputError with the remedy.

    Args:
        package: The package's ``__name__``.
        file: Its ``__file__``.
    """
    load, list_names, names = lazy_loader.attach_stub(package, file)

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            return load(name)
        except (ImportError, ValueError):
            from tfcourse.backend import check_backend

            check_backend()
            raise

    return get, list_names, names
