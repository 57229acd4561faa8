"""Which modules are of the project that a function belongs to."""

import importlib
import importlib.util
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from tfcourse.quiet import quiet_start

__all__ = ["Project"]

_INSTALLED = {"site-packages", "dist-packages"}


class Project:
    """The modules of one package, or in one folder, that are not installed.

    Args:
        module: The name of a module of it. The others are in the same package, or in the folder
            that holds that package or module; of a notebook in the current folder.
    """

    def __init__(self, module: str) -> None:
        self.module, self._top = module, module.partition(".")[0]
        file = getattr(sys.modules.get(module), "__file__", None)
        place = Path.cwd() / "notebook" if file is None else Path(file).resolve()
        if place.name == "__init__.py":
            place = place.parent
        self._folder = place.parents[module.count(".")]

    def has(self, module: str | None) -> bool:
        """Whether a module that is imported belongs to the project."""
        if module is None or module == self.module:
            return module is not None
        return self._holds(module, getattr(sys.modules.get(module), "__file__", None))

    def load(self, module: str) -> ModuleType | None:
        """Return a module of the project, imported if it is not yet; None if it can't be."""
        if module in sys.modules:
            return sys.modules[module] if self.has(module) else None
        with suppress(Exception):
            spec = importlib.util.find_spec(module)
            if spec is not None and self._holds(module, spec.origin):
                with quiet_start():
                    return importlib.import_module(module)
        return None

    def _holds(self, module: str, file: Any) -> bool:
        top = module.partition(".")[0]
        if top in ("tfcourse", "builtins"):
            return False
        if top == self._top:
            return True
        if not isinstance(file, str):
            return False
        path = Path(file).resolve()
        inside = path.is_relative_to(self._folder) and not _INSTALLED & {*self._folder.parts}
        return inside and not _INSTALLED & {*path.parts}
