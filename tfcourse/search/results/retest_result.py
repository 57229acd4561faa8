"""The result of a retest, and the table and text that show it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tfcourse.console import one_line
from tfcourse.search.results.layout import FirstThatFits, plain_text, table_of
from tfcourse.search.results.tables import format_score

__all__ = ["Retest", "RetestedTrial", "retest_lines", "retest_table", "retest_text"]


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


@dataclass(frozen=True)
class Retest:
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
        return [
            trial
            for trial in self.trials
            if trial.change is not None
            and trial.chance is not None
            and abs(trial.change) > trial.chance
        ]

    @property
    def scores_hold(self) -> bool | None:
        """True if no score changed by more than chance explains; None if that is not known."""
        if self.beyond_chance or self.failed:
            return False
        is_known = all(trial.chance is not None for trial in self.trials if trial.change)
        return True if is_known else None

    def __str__(self) -> str:
        return retest_text(self)

    @property
    def best_holds(self) -> bool:
        """True if the best trial still is the best one."""
        return self.trials[0].new_rank == 1


def retest_table(retested: Retest) -> FirstThatFits:
    """Return the old and new scores and ranks of the trials; ranks only if they fit."""
    rows = [["trial", f"{retested.objective} then", "now", "rank then", "now", "change"]]
    for trial in retested.trials:
        scores = format_score(trial.old_score), format_score(trial.new_score)
        if trial.new_std is not None:
            scores = scores[0], f"{scores[1]} ± {trial.new_std:.4f}"
        now = str(trial.new_rank) if trial.new_score is not None else "failed"
        change = "–" if trial.change is None else f"{trial.change:+.4g}" if trial.change else "0"
        rows.append([str(trial.trial), *scores, str(trial.old_rank), now, change])
    without_ranks = [[*row[:3], row[-1]] for row in rows]
    narrow = [["trial", "then", "now", "change"], *without_ranks[1:]]
    return FirstThatFits(
        [
            table_of(rows, "Then and now", wrap=True),
            table_of(without_ranks, "Then and now", wrap=True),
            table_of(narrow, f"{retested.objective}, then and now", wrap=True),
        ]
    )


def retest_text(retested: Retest, width: int | None = None) -> str:
    """Return the text that ``tfcourse retest`` shows."""
    return plain_text([retest_table(retested)], retest_lines(retested), width)


def retest_lines(retested: Retest) -> list[str]:
    """Return the lines below the table: failures, data, order, scores and file."""
    lines = [f"Trial {trial.trial} failed: {one_line(trial.message)}" for trial in retested.failed]
    if retested.same_data is not None:
        comparison = "the same as" if retested.same_data else "another than"
        lines.insert(0, f"The data is {comparison} when the search began.")
    if retested.swapped == 0:
        which = "order of the others" if retested.failed else "order"
        lines.append(f"The {which} holds.")
    else:
        best = "still is" if retested.best_holds else "no longer is"
        lines.append(
            f"The order does not hold: {retested.swapped} of {retested.pairs} pairs of trials are "
            f"the other way round. Trial {retested.trials[0].trial} {best} the best."
        )
    return [*lines, _scores(retested), f"{'retest':<12}{retested.file}"]


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
