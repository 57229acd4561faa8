"""The files that an export writes, checked before any work."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tfcourse.errors import InputError

__all__ = ["Target", "check_targets"]

_PACKAGES = ("tf2onnx", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Target:
    """A file or folder to write.

    Attributes:
        format: The option's name without its dashes, such as ``"tflite"``.
        path: The file or folder.
    """

    format: str
    path: Path


def check_targets(paths: Mapping[str, Path | None], run: Path, force: bool) -> list[Target]:
    """Return the targets that were asked for.

    Args:
        paths: The path by format; None for a format that was not asked for.
        run: The run directory, in which nothing is replaced.
        force: True to replace what exists: a file, or the folder of a SavedModel.

    Raises:
        InputError: A path exists, or can't be written, or a package is missing.
    """
    targets = [Target(name, path) for name, path in paths.items() if path is not None]
    for target in targets:
        _check(target, run, force)
    places = [target.path.resolve() for target in targets]
    if len(set(places)) < len(places):
        raise InputError("Two exports have the same path. Choose another one.")
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing and paths.get("onnx") is not None:
        raise InputError(
            f"--onnx needs {', '.join(missing)}. Install: pip install {' '.join(missing)}."
        )
    return targets


def _check(target: Target, run: Path, force: bool) -> None:
    option, path = f"--{target.format}", target.path
    if target.format == "fold" and path.suffix != ".keras":
        raise InputError(f"{option} must be a .keras file. Received: {path}.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{option}: the folder {path.parent} does not exist. Make it first.")
    if not path.exists() and not path.is_symlink():
        return
    if not force:
        raise InputError(f"{option}: {path} exists. Choose another path, or replace it: --force.")
    if path.resolve() == run.resolve() or run.resolve() in path.resolve().parents:
        raise InputError(f"{option}: {path} is in the run directory. Choose another path.")
    is_folder = path.is_dir()
    if target.format == "saved-model" and not (path / "saved_model.pb").is_file():
        raise InputError(f"{option}: {path} is not a SavedModel, and is not replaced by one.")
    if target.format != "saved-model" and is_folder:
        raise InputError(f"{option}: {path} is a folder. Choose the path of a file.")
