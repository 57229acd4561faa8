"""The files of the user's project that a search needs on other machines."""

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from tfcourse.errors import InputError
from tfcourse.search.config.modules import module_names
from tfcourse.search.config.search_config import SearchConfig

__all__ = ["place_files", "project_files"]

LARGEST = 100 * 2**20
_INSTALLED = {"site-packages", "dist-packages"}
_NOT_THE_USERS = ("tfcourse", "__main__", "__mp_main__")


def project_files(config: SearchConfig) -> dict[str, bytes]:
    """Return the contents of the project's files, by their paths from its folder.

    They are those of the packages that the config names as ``package.module:function``, and of the
    modules beside them. Installed packages and tfcourse must be installed on the cluster; what
    belongs to ``__main__`` is sent as an object.

    Raises:
        InputError: They are too large.
    """
    paths: dict[str, Path] = {}
    names = module_names(config.as_tables())
    for folder, top in sorted({place for name in names if (place := _place(name))}):
        beside = folder.glob("*.py") if folder != Path("/") else ()
        paths |= {path.name: path for path in beside if path.stem not in _NOT_THE_USERS}
        for package in {top, *_packages_beside(folder)}:
            paths |= {
                str(path.relative_to(folder)): path
                for path in (folder / package).rglob("*")
                if path.is_file() and not _is_hidden(path.relative_to(folder))
            }
    size = sum(path.stat().st_size for path in paths.values())
    if size > LARGEST:
        raise InputError(
            f"{config.origin}: the modules of the builder, metrics and losses, with all files of "
            f"their packages, are {size / 2**20:.0f} MB, and are sent to every worker on Ray up to "
            f"{LARGEST / 2**20:.0f} MB. Move what is large out of the package, or install the "
            "package on the cluster."
        )
    return {name: path.read_bytes() for name, path in paths.items()}


def place_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of `project_files` into a folder, and let Python import from there first."""
    for name, contents in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
    sys.path.insert(0, str(folder))


def _place(module: str) -> tuple[Path, str] | None:
    """Return the folder of a module's package and the package's name; None if it is installed."""
    top = module.partition(".")[0]
    if top in _NOT_THE_USERS or top in sys.stdlib_module_names:
        return None
    spec = sys.modules[top].__spec__ if top in sys.modules else find_spec(top)
    locations = [] if spec is None else [*(spec.submodule_search_locations or [])]
    if not locations and (spec is None or not spec.has_location):
        return None
    path = Path(locations[0] if locations else str(spec and spec.origin)).resolve()
    return None if _INSTALLED & {*path.parts} else (path.parent, top)


def _packages_beside(folder: Path) -> set[str]:
    """Return the packages in a folder that have been imported."""
    tops = {name.partition(".")[0] for name in [*sys.modules]} - {*_NOT_THE_USERS}
    return {top for top in tops if (folder / top).is_dir()}


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)
