"""Imports of other packages by TensorFlow, Keras and keras-tuner, put off until they are used.

Where scikit-learn, pandas, Matplotlib, JAX or IPython is installed, those import it on their start
for functions that a training seldom calls: 45 % of the time in an environment with all of them.
"""

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ["DEFERRED", "STAND_INS", "deferred_imports"]

# Modules that run when an attribute of theirs is first asked for.
DEFERRED = frozenset(
    {
        "keras.src.trainers.data_adapters.array_slicing",  # pandas
        "keras.src.visualization",  # Matplotlib
        "keras.visualization",
        "keras.wrappers",  # scikit-learn
        "tensorflow._api.v2.compat.v1.lite",  # JAX
        "tensorflow._api.v2.compat.v2.lite",
        "tensorflow._api.v2.lite",
    }
)
# Modules that only look whether a package is there; they import it when they use it.
STAND_INS: Mapping[str, Sequence[str]] = {
    "keras.src.callbacks.orbax_checkpoint": ("jax",),
    "keras.src.saving.file_editor": ("IPython",),
    "keras_tuner.src.tuners.bayesian": (
        "scipy.optimize",
        "sklearn",
        "sklearn.exceptions",
        "sklearn.gaussian_process",
    ),
    "keras_tuner.src.tuners.sklearn_tuner": (
        "pandas",
        "sklearn",
        "sklearn.model_selection",
        "sklearn.pipeline",
    ),
    "keras_tuner.src.utils": ("IPython",),
}


@contextmanager
def deferred_imports() -> Iterator[None]:
    """Put off, in the imports inside, what `DEFERRED` and `STAND_INS` name."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in DEFERRED and fullname not in STAND_INS:
            return None
        if fullname == "tensorflow._api.v2.lite":
            # Its first import, later, would put it in the place of this module: tf.lite.
            import_module("tensorflow.lite")
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            wrapper = _DeferringLoader if fullname in DEFERRED else _StandInLoader
            spec.loader = wrapper(spec.loader)
        return spec


class _Deferred(ModuleType):
    """A module that runs when a name that it does not have yet is looked up."""

    def __getattr__(self, name: str) -> Any:
        # Python and tools look for such names in all modules: __warningregistry__, __wrapped__.
        if not name.startswith("__") or name == "__all__":
            _run(self)
        return super().__getattribute__(name)

    def __dir__(self) -> list[str]:
        _run(self)
        return list(super().__dir__())


_LOCK = threading.RLock()
# The loaders of the modules that have not run.
_WAITING: dict[str, Loader] = {}


def _run(module: ModuleType) -> None:
    """Run a module, unless it has run or is running."""
    with _LOCK:
        loader = _WAITING.pop(module.__name__, None)
        if loader is None:
            return
        try:
            loader.exec_module(module)
        except BaseException:
            _WAITING[module.__name__] = loader
            raise


class _DeferringLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Deferred(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        _WAITING[module.__name__] = self.loader
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader


class _StandIn(ModuleType):
    """Stands for an installed package in the module that imports it.

    While that module runs, the package seems to lack everything.
    """

    is_hidden = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self.is_hidden:
            raise ImportError(f"{self.__name__}.{name} is not imported yet")
        package = import_module(self.__name__)
        try:
            return getattr(package, name)
        except AttributeError:
            return import_module(f"{self.__name__}.{name}")


class _StandInLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        stand_ins = {
            name: _StandIn(name)
            for name in STAND_INS[module.__name__]
            if name not in sys.modules and find_spec(name.partition(".")[0]) is not None
        }
        sys.modules.update(stand_ins)
        try:
            self.loader.exec_module(module)
        finally:
            for name, stand_in in stand_ins.items():
                del sys.modules[name]
                stand_in.is_hidden = False
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
