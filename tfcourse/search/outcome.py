"""What a search gives: its result, or that every trial failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfcourse.errors import WorkFailedError
from tfcourse.search.records import TrialRecord
from tfcourse.search.results import RunDirectory, Summary

__all__ = ["SearchFailedError", "SearchResult"]


class SearchFailedError(WorkFailedError):
    """Every trial failed: there is no best one. The run directory has their reasons."""


@dataclass(frozen=True)
class SearchResult:
    """A finished search.

    Attributes:
        directory: The run directory.
        trials: All records, by number.
        ranking: The completed ones, best first.
        summary: The best trial, its dev score, and its score on the test set.
        was_complete: Whether nothing was left to do.
    """

    directory: Path
    trials: Mapping[int, TrialRecord]
    ranking: list[TrialRecord]
    summary: Summary
    was_complete: bool

    @property
    def best(self) -> TrialRecord:
        """The best trial."""
        return self.ranking[0]

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """Coarse to fine: each round's first and last trial, and its box; otherwise none."""
        return RunDirectory(self.directory).read_rounds()

    def best_model(self) -> Any:
        """The best trial's model, with the weights of its best epoch."""
        from tfcourse.models.saving import load_model

        return load_model(RunDirectory(self.directory).best)
