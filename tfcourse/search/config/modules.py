"""The modules that the tables of a config name, as ``package.module:function``."""

from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["module_names", "names_module_in"]


def module_names(value: object) -> Iterator[str]:
    """Yield the module of each ``package.module:function`` among the texts of tables and lists.

    Also what only looks like one, such as ``sklearn`` of ``"sklearn:iris"``.
    """
    if isinstance(value, str):
        module, colon, _ = value.partition(":")
        if colon and all(part.isidentifier() for part in module.split(".")):
            yield module
    elif isinstance(value, Mapping):
        yield from module_names([*value.values()])
    elif isinstance(value, list | tuple):
        for each in value:
            yield from module_names(each)


def names_module_in(folder: Path, tables: Mapping[str, object]) -> bool:
    """Return True if a module that the tables name, or its package, is a file in the folder."""
    tops = {name.partition(".")[0] for name in module_names(tables)}
    return any((folder / f"{top}.py").is_file() or (folder / top).is_dir() for top in tops)
