"""What a search gives: its result, or that every trial failed; and what its trials give again."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfcourse.errors import WorkFailedError
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.summary import Summary

__all__ = ["Retest", "RetestedTrial", "SearchFailedError", "SearchResult", "lost_model"]


class SearchFailedError(WorkFailedError):
    """Every trial failed: there is no best one. The run directory has their reasons."""


def lost_model(directory: RunDirectory, trial: int) -> WorkFailedError:
    """Return the error for a best model that is lost or damaged."""
    return WorkFailedError(
        f"{directory.best}: the model of the best trial, {trial}, is lost or damaged. The same "
        "command runs that trial again."
    )


@dataclass(frozen=True, repr=False)
class SearchResult:
    """A finished search; ``print(result)`` shows it as ``tfcourse search`` does.

    Attributes:
        directory: The run directory.
        trials: All records, by number.
        ranking: The completed ones, best first.
        summary: The best trial, its dev score, and its score on the test set.
        was_complete: Whether nothing was left to do.
        efforts: What its trials took in this run, by process.
        code_changes: What changed in the code of its models since it was finished, in words.
    """

    directory: Path
    trials: Mapping[int, TrialRecord]
    ranking: list[TrialRecord]
    summary: Summary
    was_complete: bool
    efforts: Mapping[str, Effort] = field(default_factory=dict)
    code_changes: Sequence[str] = ()

    def __repr__(self) -> str:
        summary = self.summary
        return (
            f"<SearchResult {str(self.directory)!r}: {len(self.trials)} trials, "
            f"best {summary.trial} with {summary.objective} {summary.score:.4g}>"
        )

    def __str__(self) -> str:
        from tfcourse.search.results.text import result_text

        return result_text(self)

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        from tfcourse.search.results.text import result_lines, result_tables

        return Group(*result_tables(self), *map(Text, result_lines(self)))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f"<pre>{html.escape(str(self))}</pre>"

    @property
    def best(self) -> TrialRecord:
        """The best trial."""
        return self.ranking[0]

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """Coarse to fine: each round's first and last trial, and its box; otherwise none."""
        return RunDirectory(self.directory).read_rounds()

    def best_model(self) -> Any:
        """The best trial's model, with the weights of its best epoch.

        Raises:
            WorkFailedError: Its file is lost or damaged.
        """
        directory = RunDirectory(self.directory)
        if directory.best_trial() != self.best.trial:
            raise lost_model(directory, self.best.trial)
        from tfcourse.models.saving import load_model

        return load_model(directory.best)


@dataclass(frozen=True)
class RetestedTrial:
    """One trial then and now.

    Attributes:
        trial: Its number.
        old_rank: Its rank then among those that were run again, from 1.
        new_rank: Its rank now; the failed ones are last.
        old_score: Its score then.
        new_score: Its score now; None if it failed.
        message: Why it failed.
        chance: How far chance alone may be expected to move its score; None if nothing is known
            of that. 0.0: data and seed are what they were. Otherwise two standard deviations of
            the difference between two means of its trainings, from their ``score_std``.
    """

    trial: int
    old_rank: int
    new_rank: int
    old_score: float
    new_score: float | None
    message: str = ""
    chance: float | None = None

    @property
    def change(self) -> float | None:
        """The new score less the old one, 0.0 where only rounding differs; None if it failed."""
        if self.new_score is None:
            return None
        same = math.isclose(self.new_score, self.old_score, rel_tol=1e-5, abs_tol=1e-8)
        return 0.0 if same else self.new_score - self.old_score


@dataclass(frozen=True)
class Retest:
    """The result of `tfcourse.retest`.

    Attributes:
        objective: What the scores are of.
        trials: The trials, in the old order.
        swapped: How many pairs are the other way round than they were, of ``pairs``.
        same_data: Whether the data is the one that was searched; None if that is not on record.
        file: The table of it.
    """

    objective: str
    trials: Sequence[RetestedTrial]
    swapped: int
    same_data: bool | None
    file: Path

    @property
    def pairs(self) -> int:
        """How many pairs of trials there are."""
        return len(self.trials) * (len(self.trials) - 1) // 2

    @property
    def failed(self) -> list[RetestedTrial]:
        """The trials that failed now."""
        return [trial for trial in self.trials if trial.new_score is None]

    @property
    def holds(self) -> bool:
        """Whether the order is what it was, and no trial failed."""
        return self.swapped == 0 and not self.failed

    @property
    def moved_most(self) -> RetestedTrial | None:
        """The trial whose score changed most; None if every score is what it was."""
        moved = [trial for trial in self.trials if trial.change]
        return max(moved, key=lambda trial: abs(trial.change or 0.0), default=None)

    @property
    def beyond_chance(self) -> list[RetestedTrial]:
        """The trials whose score changed by more than chance explains, where that is known."""
        return [
            trial
            for trial in self.trials
            if trial.change is not None
            and trial.chance is not None
            and abs(trial.change) > trial.chance
        ]

    @property
    def scores_hold(self) -> bool | None:
        """Whether no score changed by more than chance explains; None if that is not known."""
        if self.beyond_chance or self.failed:
            return False
        known = all(trial.chance is not None for trial in self.trials if trial.change)
        return True if known else None

    def __str__(self) -> str:
        from tfcourse.search.results.text import retest_text

        return retest_text(self)

    @property
    def best_holds(self) -> bool:
        """Whether the best trial still is the best one."""
        return self.trials[0].new_rank == 1
