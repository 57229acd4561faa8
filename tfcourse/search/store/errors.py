"""The errors of a search without any completed trial, or without its best model."""

from pathlib import Path

from tfcourse.errors import WorkFailedError

__all__ = ["SearchFailedError", "lost_model"]


class SearchFailedError(WorkFailedError):
    """Every trial failed, so that there is no best one. The run directory has their messages."""


def lost_model(path: Path, trial: int) -> WorkFailedError:
    """Return the error for a best model that is lost or damaged."""
    return WorkFailedError(
        f"{path}: the model of the best trial, {trial}, is lost or damaged. The same "
        "command runs that trial again."
    )
