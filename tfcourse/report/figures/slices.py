"""The figures of each hyperparameter against score, on its own scale."""

import math

from tfcourse.report.axes import axis_of
from tfcourse.report.figures.panel import Panel, axis_layout, figure_of, missing
from tfcourse.report.figures.points import axis_of_scores, point_traces
from tfcourse.report.labels import plain
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.search_record import SearchRecord
from tfcourse.search.results.tables import format_value
from tfcourse.search.space.parameters import any_of

__all__ = ["condition_in_words", "slice_panels"]


def slice_panels(record: SearchRecord) -> list[Panel]:
    """Return a panel for each hyperparameter."""
    return [_panel(record, name, place) for place, name in enumerate(record.space)]


def condition_in_words(record: SearchRecord, name: str) -> str:
    """Return the condition of a hyperparameter, such as ``when optimizer is adam``, or nothing."""
    parts = [
        f"{parent} is {' or '.join(map(format_value, any_of(value)))}"
        for parent, value in record.space[name].when
    ]
    return f"when {' and '.join(parts)}" if parts else ""


def _panel(record: SearchRecord, name: str, place: int) -> Panel:
    title, key = plain(name, 60), f"slice-{place}"
    if not any(name in trial.values for trial in record.ranking):
        return missing(key, title, "No completed trial has a value of it.")
    axis, scores = axis_of(name, record.space[name]), axis_of_scores(record)

    def x_of(trial: TrialRecord) -> float:
        return axis.point(trial.values[name], trial.trial) if name in trial.values else math.nan

    figure = figure_of(
        point_traces(record, scores, x_of),
        240,
        showlegend=False,
        margin={"l": 56, "r": 12, "t": 8, "b": 28},
        xaxis=axis_layout(axis, title=None),
        yaxis=axis_layout(scores),
    )
    scale = getattr(record.space[name], "scale", "choice")
    text = {"choice": "choice", "one_minus_log": "log scale of 1-β"}.get(scale, f"{scale} scale")
    text = ", ".join(part for part in (text, condition_in_words(record, name)) if part)
    return Panel(key, title, text, figure)
