"""The trials as points of a figure, in groups by their status, with the best one marked."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tfcourse.report.axes import Axis, score_axis
from tfcourse.report.figures.panel import ACCENT, BEST, FAILED, OTHER
from tfcourse.report.labels import hover_text, label
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.search_record import SearchRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Scatter

__all__ = ["axis_of_scores", "point_traces"]

# More points are drawn smaller.
MANY = 250


def axis_of_scores(record: SearchRecord) -> Axis:
    """Return the axis of the scores of all trials."""
    scores = [trial.score for trial in record.trials.values() if trial.score is not None]
    return score_axis(record.objective, scores)


def point_traces(
    record: SearchRecord, axis: Axis, x_of: Callable[[TrialRecord], float]
) -> "list[Scatter]":
    """Return a trace of points for each status, and one for the best trial.

    Trials without a score lie beyond the worst one.

    Args:
        record: The search.
        axis: The axis of the scores, the vertical one.
        x_of: A trial's horizontal position; NaN for one that is not in the figure.
    """
    low, high = axis.padded
    nowhere = (low + axis.low) / 2 if record.direction == "max" else (high + axis.high) / 2
    traces = []
    for status in record.counts:
        trials = [t for _, t in sorted(record.trials.items()) if t.status == status]
        if record.best in trials:
            trials.remove(record.best)
        colour, symbol = _STYLES.get(status, (OTHER, "diamond-open"))
        size, opacity = (8, 0.75) if len(trials) <= MANY else (5, 0.5)
        marker = {"color": colour, "symbol": symbol, "size": size, "opacity": opacity}
        traces += _trace(record, axis, x_of, trials, label(status), marker, nowhere)
    marker = {"color": BEST, "symbol": "star", "size": 15, "line": {"width": 1, "color": "#7c2d12"}}
    best = [] if record.best is None else [record.best]
    return [*traces, *_trace(record, axis, x_of, best, "best", marker, nowhere)]


def _trace(
    record: SearchRecord,
    axis: Axis,
    x_of: Callable[[TrialRecord], float],
    trials: Sequence[TrialRecord],
    name: str,
    marker: dict[str, object],
    nowhere: float,
) -> "list[Scatter]":
    from plotly.graph_objects import Scatter

    points = [
        (x, nowhere if trial.score is None else axis.position(trial.score), trial)
        for trial in trials
        if not math.isnan(x := x_of(trial))
    ]
    if not points:
        return []
    xs, ys, of = zip(*points, strict=True)
    texts = [hover_text(trial, record.objective) for trial in of]
    return [
        Scatter(
            x=xs,
            y=ys,
            mode="markers",
            name=name,
            marker=marker,
            cliponaxis=False,
            hovertext=texts,
            hoverinfo="text",
        )
    ]


_STYLES = {
    "completed": (ACCENT, "circle"),
    "failed": (FAILED, "x"),
    "infeasible": (OTHER, "square-open"),
}
