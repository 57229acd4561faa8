"""The picture of a comparison: the best score so far of each search."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tfcourse.console import printable
from tfcourse.figures import plain_text, save_figure
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.comparison import Comparison
from tfcourse.search.results.search_record import SearchRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BestSoFar", "best_so_far", "end_times", "save_comparison"]

LONGEST_NAME = 40


class BestSoFar(NamedTuple):
    """The best score after each trial of a search that completed.

    Attributes:
        trials: The number of trials up to each that completed.
        seconds: The seconds up to the end of each that completed.
        by_trials: The best score after each of ``trials``.
        by_seconds: The best score after each of ``seconds``.
    """

    trials: list[int]
    seconds: list[float]
    by_trials: list[float]
    by_seconds: list[float]


def end_times(records: Iterable[TrialRecord]) -> dict[int, float]:
    """Return the seconds after which each trial ended, as far as the record tells.

    A worker runs its trials one after the other, in the order of their numbers; w1, w2... work at
    the same time, after "main". The largest is `tfcourse.search.strategies.stopping`'s
    `seconds_on_record`.
    """
    ordered = sorted(records, key=lambda record: record.trial)
    start = sum(record.seconds for record in ordered if record.worker == "main")
    clocks: dict[str, float] = {"main": 0.0}
    ends = {}
    for record in ordered:
        clocks[record.worker] = clocks.get(record.worker, start) + record.seconds
        ends[record.trial] = clocks[record.worker]
    return ends


def best_so_far(record: SearchRecord) -> BestSoFar:
    """Return the best score so far of a search, against trials and against seconds."""
    better = max if record.direction == "max" else min
    ends = end_times(record.trials.values())

    def running(order: list[TrialRecord]) -> list[float]:
        best: list[float] = []
        for trial in order:
            score = float(trial.score or 0.0)
            best.append(better(best[-1], score) if best else score)
        return best

    by_number = sorted(record.ranking, key=lambda trial: trial.trial)
    by_end = sorted(record.ranking, key=lambda trial: (ends[trial.trial], trial.trial))
    return BestSoFar(
        [trial.trial + 1 for trial in by_number],
        [ends[trial.trial] for trial in by_end],
        running(by_number),
        running(by_end),
    )


def save_comparison(comparison: Comparison, path: Path) -> None:
    """Draw the best score so far against trials and seconds into a file.

    Args:
        comparison: The comparison.
        path: The file, which `tfcourse.figures.check_plot_file` has checked.
    """
    from matplotlib.figure import Figure

    first = comparison.records[0]
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for name, record in zip(comparison.names, comparison.records, strict=True):
        curve, ends = best_so_far(record), end_times(record.trials.values())
        label = _label(name)
        _draw(axes[0], curve.trials, curve.by_trials, max(record.trials, default=-1) + 1, label)
        _draw(axes[1], curve.seconds, curve.by_seconds, max(ends.values(), default=0.0), label)
    for place, unit in zip(axes, ("trials", "seconds"), strict=True):
        place.set_xlabel(unit)
        place.set_xlim(left=0)
        place.grid(color="0.92")
        place.spines[["top", "right"]].set_visible(False)
    axes[0].xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel(f"best {_label(first.objective)} so far ({first.direction})")
    axes[0].legend(frameon=False, fontsize=8)
    save_figure(figure, path, 100)


def _draw(axes: "Axes", x: Sequence[float], best: Sequence[float], end: float, label: str) -> None:
    """Draw one search's best score so far, up to the search's end."""
    last = best[-1] if best else math.nan
    axes.step([*x, end], [*best, last], where="post", marker=".", label=label)


def _label(name: str) -> str:
    """Return a name as matplotlib's plain text, in which a first _ would hide it."""
    line = printable(name).replace("\n", " ")
    line = line if len(line) <= LONGEST_NAME else f"…{line[1 - LONGEST_NAME :]}"
    line = plain_text(line)
    return f" {line}" if line.startswith("_") else line
