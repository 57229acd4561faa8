"""The check that a folder is a run directory, whole or in part, and nothing else."""

import re
import shlex
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from tfcourse.files import is_temporary
from tfcourse.search.store.model_file import trial_of_model
from tfcourse.search.store.reading import names_in, read_json, read_text, read_toml

__all__ = ["foreign_names", "is_run_directory", "not_a_run_directory", "trial_numbers"]

# The file by which the run directory of a babysitter is known.
BABYSITTERS_FILE = "journal.jsonl"
TABLES = {"search", "data", "model", "training", "space"}


def is_run_directory(path: Path, names: Collection[str]) -> bool:
    """Return True if a folder is a run directory, whole or in part.

    It is one if it has the config, the versions and the trials. Otherwise all names in it must be
    those of parts of a run directory, and one of the parts written by a search, or all empty.

    Args:
        path: The folder, which need not exist.
        names: The names of a run directory's parts.
    """
    has_config = (path / "config.toml").is_file() and (path / "versions.json").is_file()
    if has_config and (path / "trials").is_dir():
        return True
    if not path.is_dir() or foreign_names(path, names):
        return False
    parts = [part for part in path.iterdir() if part.name in names]
    return any(map(_is_written_by_a_search, parts)) or (bool(parts) and all(map(_is_empty, parts)))


def foreign_names(path: Path, names: Collection[str]) -> list[str]:
    """Return the names in a folder that no run directory has."""
    return sorted(p.name for p in path.iterdir() if p.name not in names and not is_temporary(p))


def not_a_run_directory(path: Path, names: Collection[str] = ()) -> str:
    """Return the message for another folder, with the first of its foreign names."""
    contents = f", and holds {', '.join([*names][:3])}" if names else ""
    lacks = f"it lacks config.toml, versions.json or trials/{contents}"
    text = f"{path} is not a run directory ({lacks})."
    if (path / BABYSITTERS_FILE).is_file():
        text += f" It is a babysitter's: tfcourse journal {shlex.quote(str(path))} shows it."
    return text


def trial_numbers(folder: Path, suffix: str) -> list[int]:
    """Return the numbers of the trials with files in a folder, from the lowest.

    Raises:
        OSError: The folder exists and can't be read.
    """
    stems = [Path(name).stem for name in names_in(folder) if name.endswith(f".{suffix}")]
    return sorted(int(s) for s in stems if re.fullmatch("[0-9]{4}|[1-9][0-9]{4,8}", s))


def _is_written_by_a_search(part: Path) -> bool:
    check = _CHECKS.get(part.name)
    try:
        return check is not None and check(part)
    except OSError:  # it can't be read
        return False


def _is_empty(part: Path) -> bool:
    if part.is_dir():
        return all(map(is_temporary, part.iterdir()))
    return not part.exists() or part.stat().st_size == 0


def _holds(pattern: str) -> Callable[[Path], bool]:
    def check(folder: Path) -> bool:
        names = [p.name for p in folder.iterdir() if not is_temporary(p)] if folder.is_dir() else []
        return bool(names) and all(re.fullmatch(pattern, name) for name in names)

    return check


def _begins(start: str) -> Callable[[Path], bool]:
    return lambda path: (read_text(path) or "").startswith(start)


def _has(*keys: str) -> Callable[[Path], bool]:
    def check(path: Path) -> bool:
        entry: Any = read_json(path)
        entry = entry[0] if isinstance(entry, list) and entry else entry
        return isinstance(entry, dict) and {*keys} <= {*entry}

    return check


_CHECKS: dict[str, Callable[[Path], bool]] = {
    "config.toml": lambda path: {*(read_toml(path) or {})} == TABLES,
    "versions.json": _has("tfcourse", "keras-tuner"),
    "data.json": _has("train_x", "train_y", "sha256"),
    "summary.json": _has("trial", "objective", "score"),
    "rounds.json": _has("first_trial", "last_trial", "box"),
    "results.csv": _begins("trial,status,score,best_epoch"),
    "history.csv": _begins("trial,epoch"),
    "retest.csv": _begins("trial,old_rank"),
    "best.keras": lambda path: trial_of_model(path) is not None,
    "trials": _holds(r"\d{4,}\.(json|forgotten)"),
    "models": _holds(r"\d{4,}\.keras"),
    "checkpoints": _holds(r"\d{4,}"),
    "logs": _holds(r"(w\d+|chief)\.log"),
}
