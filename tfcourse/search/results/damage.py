"""The parts of a search's record that are lost or damaged."""

from collections.abc import Mapping
from typing import Any

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.summary import Summary

__all__ = ["damage_lines"]


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
