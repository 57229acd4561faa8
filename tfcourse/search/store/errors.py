"""The errors of a search without any completed trial, or without its best model."""

from pathlib import Path

from tfcourse.errors import WorkFailedError

__all__ = ["SearchFailedError", "lost_model"]


class SearchFailedError(WorkFailedError):
    """Every trial failed, so that there is no best one. The run directory has their messages.

    Attributes:
        reason: The message without the name of a file.
    """

    def __init__(self, reason: str, results: Path | None = None) -> None:
        super().__init__(reason, results)
        self.reason = reason

    def __str__(self) -> str:
        reason, results = self.args
        return reason if results is None else f"{reason} Each trial's reason is in {results}."


def lost_model(path: Path, trial: int) -> WorkFailedError:
    """Return the error for a best model that is lost or damaged."""
    return WorkFailedError(
        f"{path}: the model of the best trial, {trial}, is lost or damaged. The same "
        "command runs that trial again."
    )
