"""Folders of the train, dev and test set."""

from collections.abc import Sequence
from pathlib import Path

from tfcourse.data.splitting.assignment import SET_NAMES
from tfcourse.data.splitting.split_columns import SETS
from tfcourse.errors import InputError

__all__ = ["folders_in", "listed", "sets_of_folder"]


def sets_of_folder(path: Path) -> dict[str, Path] | None:
    """Return the folders of train, dev and test set inside a folder; None if it has none.

    Raises:
        InputError: One is missing, or there are folders of classes beside them.
    """
    names = [folder.name for folder in folders_in(path)]
    if "train" not in names or not (SETS.keys() - {"train"}) & {*names}:
        return None
    others = [name for name in names if name not in SETS]
    if others:
        raise InputError(
            f'path: {path} has folders of sets, such as "train", and others beside them: '
            f"{listed(others)}. Move those, or the folders of sets, elsewhere."
        )
    sets = {SET_NAMES[SETS[name]]: path / name for name in names}
    if len(sets) < len(names) or "dev" not in sets:
        raise InputError(
            f"path: {path} must have one folder for each set: train, dev (or val, valid, "
            f"validation), and if you like test. Received: {listed(names)}."
        )
    return sets


def folders_in(path: Path) -> list[Path]:
    """Return the folders inside a folder by name, without hidden ones."""
    folders = (entry for entry in path.iterdir() if entry.is_dir())
    return sorted(folder for folder in folders if not folder.name.startswith("."))


def listed(names: Sequence[str]) -> str:
    """Return the first names in a line."""
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
