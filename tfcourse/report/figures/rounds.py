"""The figures of the boxes of a search from coarse to fine."""

import math
from collections.abc import Mapping
from typing import Any

from tfcourse.report.axes import Axis, axis_of
from tfcourse.report.figures.panel import ACCENT, BEST, MUTED, Panel, axis_layout, figure_of
from tfcourse.report.labels import hover_text, label, plain
from tfcourse.search.results.search_record import SearchRecord
from tfcourse.search.results.tables import format_value

__all__ = ["round_panels"]


def round_panels(record: SearchRecord) -> list[Panel]:
    """Return a panel for each hyperparameter: its part of the box, by round."""
    if not record.rounds:
        return []
    names = [name for name in record.space if name in record.rounds[0].get("box", {})]
    return [_panel(record, name, place) for place, name in enumerate(names)]


def _panel(record: SearchRecord, name: str, place: int) -> Panel:
    axis = axis_of(name, record.space[name])
    bars: list[Any] = []
    for number, entry in enumerate(record.rounds):
        bars += _bars(axis, number, entry["box"][name])
    labels = [f"{e['first_trial']} to {e['last_trial']}" for e in record.rounds]
    figure = figure_of(
        [*bars, *_points(record, axis)],
        90 + 34 * len(labels),
        showlegend=False,
        barmode="overlay",
        margin={"l": 72, "r": 12, "t": 8, "b": 28},
        xaxis=axis_layout(axis, title=None),
        yaxis={
            "title": {"text": "trials"},
            "tickmode": "array",
            "tickvals": list(range(len(labels))),
            "ticktext": labels,
            "range": [len(labels) - 0.5, -0.5],
            "zeroline": False,
            "showgrid": False,
            "automargin": True,
        },
    )
    return Panel(f"round-{place}", plain(name, 60), "", figure)


def _bars(axis: Axis, number: int, part: Mapping[str, Any]) -> list[object]:
    """Return a bar over a range, or one for each value of a choice, as opaque as it is likely."""
    from plotly.graph_objects import Bar

    if "low" in part:
        ends = axis.position(part["low"]), axis.position(part["high"])
        words = f"{format_value(part['low'])} to {format_value(part['high'])}"
        spans = [(ends[0], ends[1] - ends[0], 0.35, words)]
    else:
        shares = zip(part["values"], part["weights"], strict=True)
        spans = [
            (axis.position(value) - 0.45, 0.9, 0.6 * weight, f"{format_value(value)}: {weight:.0%}")
            for value, weight in shares
        ]
    return [
        Bar(
            base=[base],
            x=[width],
            y=[number],
            orientation="h",
            width=0.7,
            marker={"color": ACCENT, "opacity": opacity, "line": {"width": 0}},
            hovertext=label(words),
            hoverinfo="text",
        )
        for base, width, opacity, words in spans
        if not math.isnan(base)
    ]


def _points(record: SearchRecord, axis: Axis) -> list[object]:
    """Return the trials of each round, within its bar."""
    from plotly.graph_objects import Scatter

    of_round = {
        trial: number
        for number, entry in enumerate(record.rounds)
        for trial in record.trials
        if entry["first_trial"] <= trial <= entry["last_trial"]
    }
    points = [
        (axis.point(t.values[axis.name], n), of_round[n] + 0.5 * (n * 0.7548776662 % 1.0 - 0.5), t)
        for n, t in sorted(record.trials.items())
        if n in of_round and axis.name in t.values
    ]
    if not points:
        return []
    xs, ys, trials = zip(*points, strict=True)
    is_best = [trial is record.best for trial in trials]
    marker = {
        "color": [BEST if best else MUTED for best in is_best],
        "symbol": ["star" if best else "circle" for best in is_best],
        "size": [14 if best else 6 for best in is_best],
    }
    texts = [hover_text(trial, record.objective) for trial in trials]
    return [Scatter(x=xs, y=ys, mode="markers", marker=marker, hovertext=texts, hoverinfo="text")]
