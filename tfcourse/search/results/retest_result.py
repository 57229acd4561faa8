"""The result of a retest, and the table and text that show it."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from tfcourse.console import one_line
from tfcourse.search.records.trial_record import without_nan
from tfcourse.search.results.layout import FirstThatFits, Printable, table_of
from tfcourse.search.results.tables import format_score

__all__ = ["Retest", "RetestedTrial"]


@dataclass(frozen=True)
class RetestedTrial:
    """The ranks and scores of one trial in the search and in the retest.

    Attributes:
        trial: Its number.
        old_rank: Its rank in the search among the trials of the retest, from 1.
        new_rank: Its rank in the retest; trials that failed are last.
        old_score: Its score in the search.
        new_score: Its score in the retest; None if it failed.
        message: The reason if it failed.
        chance: The change of its score that chance explains; None if that is not known. 0.0 if
            data and seed are the same. Otherwise two standard deviations of the difference
            between two means of its trainings, from their ``score_std``.
        new_std: The standard deviation of the new scores over seeds; None with one seed.
    """

    trial: int
    old_rank: int
    new_rank: int
    old_score: float
    new_score: float | None
    message: str = ""
    chance: float | None = None
    new_std: float | None = None

    @property
    def change(self) -> float | None:
        """The new score minus the old one; 0.0 if they differ by rounding, None if it failed."""
        if self.new_score is None:
            return None
        is_same = math.isclose(self.new_score, self.old_score, rel_tol=1e-5, abs_tol=1e-8)
        return 0.0 if is_same else self.new_score - self.old_score

    @property
    def is_beyond_chance(self) -> bool:
        """True if it is known that its score changed by more than chance explains."""
        return self.chance is not None and abs(self.change or 0.0) > self.chance


@dataclass(frozen=True)
class Retest(Printable):
    """The result of `tfcourse.retest`.

    Attributes:
        objective: The name of the score.
        trials: The trials, in the order of the search.
        swapped: The number of pairs whose order is reversed, of ``pairs``.
        same_data: True if the data is that of the search; None if that is not on record.
        file: The table as a CSV file.
    """

    objective: str
    trials: Sequence[RetestedTrial]
    swapped: int
    same_data: bool | None
    file: Path

    @property
    def pairs(self) -> int:
        """The number of pairs of trials."""
        return len(self.trials) * (len(self.trials) - 1) // 2

    @property
    def failed(self) -> list[RetestedTrial]:
        """The trials that failed in the retest."""
        return [trial for trial in self.trials if trial.new_score is None]

    @property
    def holds(self) -> bool:
        """True if the order is the same, and no trial failed."""
        return self.swapped == 0 and not self.failed

    @property
    def moved_most(self) -> RetestedTrial | None:
        """The trial whose score changed most; None if every score is the same."""
        changed = [trial for trial in self.trials if trial.change]
        return max(changed, key=lambda trial: abs(trial.change or 0.0), default=None)

    @property
    def beyond_chance(self) -> list[RetestedTrial]:
        """The trials whose score changed by more than chance explains, if that is known."""
        return [trial for trial in self.trials if trial.is_beyond_chance]

    @property
    def scores_hold(self) -> bool | None:
        """True if no score changed by more than chance explains; None if that is not known."""
        if self.beyond_chance or self.failed:
            return False
        is_known = all(trial.chance is not None for trial in self.trials if trial.change)
        return True if is_known else None

    @property
    def best_holds(self) -> bool:
        """True if the best trial still is the best one."""
        return self.trials[0].new_rank == 1

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON has it."""
        names = ("objective", "same_data", "holds", "best_holds", "scores_hold", "swapped", "pairs")
        entry: dict[str, Any] = {name: getattr(self, name) for name in names}
        trials = [asdict(trial) | {"change": trial.change} for trial in self.trials]
        return dict(without_nan({**entry, "trials": trials, "file": str(self.file)}))

    def rich_tables(self, top: int | None = None) -> list[RenderableType]:
        """Return the old and new scores and ranks of the trials; ranks only if they fit."""
        rows = [["trial", f"{self.objective} then", "now", "rank then", "now", "change"]]
        rows += [_row(trial) for trial in self.trials[:top]]
        without_ranks = [[*row[:3], row[-1]] for row in rows]
        narrow = [["trial", "then", "now", "change"], *without_ranks[1:]]
        title = "Then and now"
        forms = ((rows, title), (without_ranks, title), (narrow, f"{self.objective}, then and now"))
        return [FirstThatFits([table_of(*form, wrap=True) for form in forms])]

    def lines(self) -> list[str]:
        """Return the lines below the table: failures, data, order, scores and file."""
        lines = [f"Trial {trial.trial} failed: {one_line(trial.message)}" for trial in self.failed]
        if self.same_data is not None:
            comparison = "the same as" if self.same_data else "another than"
            lines.insert(0, f"The data is {comparison} when the search began.")
        if self.swapped == 0:
            which = "order of the others" if self.failed else "order"
            lines.append(f"The {which} holds.")
        else:
            best = "still is" if self.best_holds else "no longer is"
            lines.append(
                f"The order does not hold: {self.swapped} of {self.pairs} pairs of trials are the "
                f"other way round. Trial {self.trials[0].trial} {best} the best."
            )
        return [*lines, _scores(self), f"{'retest':<12}{self.file}"]


def _row(trial: RetestedTrial) -> list[str]:
    then, now = format_score(trial.old_score), format_score(trial.new_score)
    if trial.new_std is not None:
        now += f" ± {trial.new_std:.4f}"
    rank = str(trial.new_rank) if trial.new_score is not None else "failed"
    change = "–" if trial.change is None else f"{trial.change:+.4g}" if trial.change else "0"
    return [str(trial.trial), then, now, str(trial.old_rank), rank, change]


def _scores(retested: Retest) -> str:
    """Return the sentence about the scores."""
    most = retested.moved_most
    others = " of the others" if retested.failed else ""
    if most is None:
        return f"Every score{others} is the same."
    moved = (
        f"trial {most.trial} from {format_score(most.old_score)} to {format_score(most.new_score)} "
        f"({most.change:+.4g})"
    )
    beyond = retested.beyond_chance
    if beyond and most.chance == 0:
        return (
            f"The scores do not hold: {len(beyond)} of {len(retested.trials)} changed, most of all "
            f"{moved}. Data and seed are the same: the code, the versions or the machine differ."
        )
    if beyond:
        return (
            f"The scores do not hold: {len(beyond)} of {len(retested.trials)} changed by more than "
            f"chance explains (two standard deviations); the largest change is {moved}."
        )
    if any(trial.change and trial.chance is None for trial in retested.trials):
        return (
            f"The largest change of a score{others}: {moved}. How far chance alone moves a score "
            "is not known from this search; [training] repeats or folds would tell."
        )
    return (
        f"The scores{others} hold: no change is more than chance explains; the largest is {moved}."
    )
