"""The objects of a `tfcourse.Search` in its worker processes: data, builder, losses, callbacks."""

import pickle
import pickletools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tfcourse.data.splitting.stored_split import StoredSplit
from tfcourse.errors import InputError, error_line
from tfcourse.imports import load_function
from tfcourse.models.build import BUILDERS
from tfcourse.search.config.builders import object_name
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.shared_data import shared_data

__all__ = ["SharedObjects", "check_shareable", "sharing"]


@dataclass(frozen=True)
class SharedObjects:
    """The objects of a search as another process can read them.

    Attributes:
        split: The file with its data; None for data that has a name.
        pickled: The builder, None for one that has a name, and the others by their names.
    """

    split: StoredSplit | None
    pickled: bytes

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `tfcourse.search.config.load.parse_config` for them."""
        build, objects = pickle.loads(self.pickled)
        return {"build": build, "objects": objects, "arrays": self.split}


@contextmanager
def sharing(config: SearchConfig, directory: RunDirectory) -> Iterator[SharedObjects | None]:
    """Write the data into a file beside the run directory for as long as workers need it.

    After a kill the next search there removes it: `RunDirectory.remove_leftovers`.
    """
    if not config.in_memory:
        yield None
        return
    path, split = shared_data(directory.path), None
    try:
        if config.arrays is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            split = StoredSplit.write(load_split(config), path)
        yield SharedObjects(split, _pickled(config))
    finally:
        path.unlink(missing_ok=True)


def check_shareable(config: SearchConfig) -> None:
    """Raise InputError if another process can't have an object of the search."""
    if config.datasets is not None:
        raise InputError(
            "Search: datasets stay in this process; workers and trial_timeout need others. Name a "
            'function that returns them: source="package.module:function".'
        )
    if config.in_memory:
        _pickled(config)


def _pickled(config: SearchConfig) -> bytes:
    build = config.builder.source_object
    builder = config.model.builder
    by_name = builder in BUILDERS or _is_found(builder, build)
    objects: Mapping[str, object] = {"build": build, **config.objects}
    for name, value in objects.items():
        if by_name if name == "build" else _is_found(name, value):
            continue
        where = "build" if name == "build" else f'"{name}"'
        try:
            text = pickle.dumps(value)
            reason = "it is of the program that was started, which they don't run"
        except Exception as error:  # pickling runs the object's own code
            text, reason = b"", error_line(error)
        if not text or any(each == "__main__" for _, each, _ in pickletools.genops(text)):
            raise InputError(
                f"Search: {where}, {object_name(value)}, can't be had by other processes, which "
                f"workers and trial_timeout need: {reason}. Put it into a module, as a function or "
                "a class, and import it from there."
            )
    return pickle.dumps((None if by_name else build, dict(config.objects)))


def _is_found(name: str, value: object) -> bool:
    """Return True if another process finds an object by its name, ``package.module:name``."""
    module, colon, _ = name.partition(":")
    if not colon or module == "__main__":
        return False
    with suppress(InputError):
        return load_function(name, "builder") is value
    return False
