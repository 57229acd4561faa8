"""The parts of a search's record that are lost or damaged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tfcourse.errors import InputError
from tfcourse.search.config.metrics import direction_of
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.summary import Summary

__all__ = ["damage_lines", "objective_on_record"]


def damage_lines(
    directory: RunDirectory,
    tables: Mapping[str, Any],
    trials: Mapping[int, TrialRecord],
    summary: Summary | None,
) -> list[str]:
    """Return a line for each part of the record that is lost or damaged."""
    lines = [] if tables else ["config.toml is lost or damaged."]
    files = len(list(directory.trials.glob("*.json")))
    if files > len(trials):
        lines.append(f"{files - len(trials)} of {files} files in trials/ are damaged.")
    if summary is None and directory.summary.exists():
        lines.append("summary.json is damaged.")
    if summary is not None and directory.best_trial() != summary.trial:
        lines.append("best.keras is lost or damaged.")
    return lines


def objective_on_record(
    path: Path, tables: Mapping[str, Any], summary: Summary | None
) -> tuple[str, Literal["max", "min"]]:
    """Return the name of the score and its better direction.

    Raises:
        InputError: Nothing in the run directory says them.
    """
    search = tables.get("search", {})
    name = search.get("objective", None if summary is None else summary.objective)
    direction = search.get("direction") or (direction_of(name) if isinstance(name, str) else None)
    if not isinstance(name, str) or direction not in ("max", "min"):
        raise InputError(
            f"{path}: config.toml and summary.json are lost or damaged, and with them the name of "
            "the score. The search's own command writes them again; trials/ has the trials."
        )
    return name, direction
