"""The modules of the project that a function belongs to."""

import importlib
import importlib.util
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from tfcourse.quiet import quiet_start

__all__ = ["Project"]

_INSTALLED = {"site-packages", "dist-packages"}


class Project:
    """The modules in one package or folder that are not installed.

    Args:
        module: The name of one of its modules. The others are in the same package, or in the
            folder of that package or module; for a notebook in the current folder.
    """

    def __init__(self, module: str) -> None:
        self.module, self._top = module, module.partition(".")[0]
        file = getattr(sys.modules.get(module), "__file__", None)
        path = Path.cwd() / "notebook" if file is None else Path(file).resolve()
        if path.name == "__init__.py":
            path = path.parent
        self._folder = path.parents[module.count(".")]

    def has(self, module: str | None) -> bool:
        """Return True if an imported module belongs to the project."""
        if module is None or module == self.module:
            return module is not None
        return self._contains(module, getattr(sys.modules.get(module), "__file__", None))

    def load(self, module: str) -> ModuleType | None:
        """Import a module of the project and return it; None if it can't be imported."""
        with suppress(Exception), quiet_start():
            spec = None if module in sys.modules else importlib.util.find_spec(module)
            if self.has(module) or (spec is not None and self._contains(module, spec.origin)):
                return importlib.import_module(module)
        return None

    def _contains(self, module: str, file: str | None) -> bool:
        top = module.partition(".")[0]
        if top == self._top:
            return True
        if top in ("tfcourse", "builtins") or file is None:
            return False
        path = Path(file).resolve()
        return path.is_relative_to(self._folder) and not _INSTALLED & {*path.parts}
