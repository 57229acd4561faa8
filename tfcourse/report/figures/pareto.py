"""The figures of two objectives against each other, with the Pareto set."""

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tfcourse.report.axes import Axis, score_axis
from tfcourse.report.figures.panel import ACCENT, BEST, OTHER, Panel, axis_layout, figure_of
from tfcourse.report.labels import hover_text, plain
from tfcourse.search.records.objective import Objective
from tfcourse.search.records.pareto import values_of
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.pareto_table import format_objective
from tfcourse.search.results.search_record import SearchRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Scatter

__all__ = ["pareto_panels"]

# Of more objectives only the first ones are places, each with each.
MOST_OBJECTIVES = 4

Point = tuple[TrialRecord, float, float]


def pareto_panels(record: SearchRecord) -> list[Panel]:
    """Return a panel for each pair of objectives; none without a Pareto set."""
    if not record.pareto_set:
        return []
    places = range(min(len(record.objectives), MOST_OBJECTIVES))
    return [_panel(record, y, x) for y, x in itertools.combinations(places, 2)]


def _panel(record: SearchRecord, y: int, x: int) -> Panel:
    objectives = record.objectives
    points = _points(record.trials.values(), objectives, y, x)
    axes = (
        score_axis(objectives[x].name, [value for _, value, _ in points]),
        score_axis(objectives[y].name, [value for *_, value in points]),
    )
    figure = figure_of(
        _traces(record, points, axes, y, x),
        360 if len(objectives) == 2 else 280,
        xaxis=axis_layout(axes[0]),
        yaxis=axis_layout(axes[1]),
        showlegend=len(objectives) == 2,
    )
    names = [plain(objectives[i].name, 40) for i in (y, x)]
    better = [{"max": "higher", "min": "lower"}[objectives[i].direction] for i in (y, x)]
    text = f"Each point is a trial, the stars are the Pareto set: {better[0]} {names[0]} and "
    text += f"{better[1]} {names[1]} are better."
    if len(objectives) == 2:
        text += " No trial is beyond the line through the Pareto set."
    return Panel(f"pareto-{y}-{x}", f"{names[0]} and {names[1]}", text, figure)


def _points(
    trials: Iterable[TrialRecord], objectives: Sequence[Objective], y: int, x: int
) -> list[Point]:
    """Return the trials that completed, within the limits or not, with their values of a pair."""
    points = []
    for trial in trials:
        values = values_of(trial, objectives)
        if trial.status in ("completed", "infeasible"):
            pair = (values[x], values[y])
            if pair[0] is not None and pair[1] is not None:
                points.append((trial, float(pair[0]), float(pair[1])))
    return points


def _traces(
    record: SearchRecord, points: Sequence[Point], axes: Sequence[Axis], y: int, x: int
) -> "list[Scatter]":
    from plotly.graph_objects import Scatter

    members = {trial.trial for trial in record.pareto_set}
    groups = {
        "completed": [
            p for p in points if p[0].status == "completed" and p[0].trial not in members
        ],
        "infeasible": [p for p in points if p[0].status == "infeasible"],
        "Pareto set": sorted((p for p in points if p[0].trial in members), key=lambda p: p[1:]),
    }
    traces = []
    if len(record.objectives) == 2:
        front = groups["Pareto set"]
        # The best y of the trials whose x is at least as good.
        is_left_better = record.objectives[x].direction == "min"
        traces.append(
            Scatter(
                x=[axes[0].position(p[1]) for p in front],
                y=[axes[1].position(p[2]) for p in front],
                mode="lines",
                line={"color": BEST, "width": 2, "shape": "hv" if is_left_better else "vh"},
                showlegend=False,
                hoverinfo="skip",
            )
        )
    for name, group in groups.items():
        if group:
            traces.append(_scatter(record, axes, name, group))
    return traces


def _scatter(
    record: SearchRecord, axes: Sequence[Axis], name: str, points: Sequence[Point]
) -> "Scatter":
    from plotly.graph_objects import Scatter

    texts = []
    for trial, *_ in points:
        values = zip(record.objectives[1:], values_of(trial, record.objectives)[1:], strict=True)
        others = [f"{o.name}: {format_objective(v)}" for o, v in values]
        texts.append(hover_text(trial, record.objective, others))
    colour, symbol, size = _STYLES[name]
    return Scatter(
        x=[axes[0].position(x) for _, x, _ in points],
        y=[axes[1].position(y) for *_, y in points],
        mode="markers",
        name=name,
        marker={"color": colour, "symbol": symbol, "size": size, "opacity": 0.85},
        cliponaxis=False,
        hovertext=texts,
        hoverinfo="text",
    )


_STYLES = {
    "completed": (ACCENT, "circle", 8),
    "infeasible": (OTHER, "square-open", 8),
    "Pareto set": (BEST, "star", 13),
}
