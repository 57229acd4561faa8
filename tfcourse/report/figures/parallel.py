"""The figure of parallel coordinates."""

import math

from tfcourse.report.axes import Axis, axis_of, equal_steps
from tfcourse.report.figures.panel import GOODNESS, Panel, figure_of, missing
from tfcourse.report.figures.points import axis_of_scores
from tfcourse.report.labels import label, plain
from tfcourse.search.results.search_record import SearchRecord

__all__ = ["parallel_panel"]

# A trial without a value lies this share of the axis below its lower end.
ABSENT = 0.15
PIXELS_OF_AN_AXIS = 80


def parallel_panel(record: SearchRecord) -> Panel:
    """Return the completed trials as lines over an axis for each hyperparameter and the score."""
    title = "Parallel coordinates"
    names = [name for name in record.space if any(name in t.values for t in record.ranking)]
    if len(record.ranking) < 2 or not names:
        return missing("parallel", title, "It takes two completed trials with hyperparameters.")
    from plotly.graph_objects import Parcoords

    # Lines that are drawn later cover earlier ones.
    trials = record.ranking[::-1]
    axes = [axis_of(name, record.space[name]) for name in names]
    dimensions = [
        _dimension(axis, [axis.position(trial.values.get(axis.name)) for trial in trials])
        for axis in axes
    ]
    scores = axis_of_scores(record)
    dimensions.append(_dimension(scores, [scores.position(trial.score) for trial in trials]))
    line = {
        "color": [place / (len(trials) - 1) for place in range(len(trials))],
        "colorscale": [list(stop) for stop in GOODNESS],
        "cmin": 0,
        "cmax": 1,
    }
    longest = max((len(plain(text, 14)) for _, text in axes[0].ticks), default=6)
    lines = Parcoords(
        dimensions=dimensions,
        line=line,
        labelangle=-20,
        labelfont={"size": 12},
        tickfont={"size": 11},
        rangefont={"size": 1, "color": "rgba(0,0,0,0)"},
        unselected={"line": {"color": "#8b98ab", "opacity": 0.12}},
    )
    margin = {"l": 24 + 7 * longest, "r": 64, "t": 84, "b": 24}
    figure = figure_of([lines], 420, margin=margin)
    text = (
        "Each line is a completed trial, from grey (worst) over blue to orange (best). Drag along "
        "an axis to select the lines that cross it there; click the axis to select all; drag a "
        "name to move its axis. A trial without a hyperparameter crosses it at –."
    )
    return Panel("parallel", title, text, figure, PIXELS_OF_AN_AXIS * (len(dimensions) + 1))


def _dimension(axis: Axis, positions: list[float]) -> dict[str, object]:
    """Return an axis and the lines' positions on it."""
    low, high = axis.padded if axis.low == axis.high else (axis.low, axis.high)
    absent = low - ABSENT * (high - low)
    ticks = list(axis.ticks) or [(n, f"{n:g}") for n in equal_steps(low, high)]
    # Tick texts are plain text in these figures, and names are HTML.
    texts = [plain(text, 14) for _, text in ticks]
    places = [place for place, _ in ticks]
    if any(math.isnan(position) for position in positions):
        places, texts, low = [absent, *places], ["–", *texts], absent
    # The line of an axis reaches from its first tick to its last one.
    ends = [end for end in (low, high) if end not in places]
    places, texts = [*places, *ends], [*texts, *[""] * len(ends)]
    return {
        "label": label(axis.name, 16),
        "values": [absent if math.isnan(position) else position for position in positions],
        "range": [low, high],
        "tickvals": places,
        "ticktext": texts,
    }
