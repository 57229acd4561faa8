"""The figure of the score over the two most important hyperparameters."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfcourse.report.axes import FEW_VALUES, SPREAD, Axis, axis_of
from tfcourse.report.figures.panel import BEST, GOODNESS, Panel, axis_layout, figure_of, missing
from tfcourse.report.figures.points import axis_of_scores
from tfcourse.report.importance import FEWEST_TRIALS, Importance
from tfcourse.report.labels import hover_text, plain
from tfcourse.search.results.search_record import SearchRecord
from tfcourse.search.space.parameters import Parameter
from tfcourse.search.strategies.evidence import observations_of, weigh
from tfcourse.search.strategies.targets import robust_scores
from tfcourse.types import Array

if TYPE_CHECKING:
    from plotly.graph_objects import Scatter

__all__ = ["contour_panel"]

# The points of the grid along a continuous range, and the trials over whose other values the
# surface is averaged.
GRID, MOST_OTHERS = 36, 48
# Of more trials, an even choice of them is drawn.
MOST_POINTS = 200


def contour_panel(record: SearchRecord, importances: Sequence[Importance]) -> Panel:
    """Return the estimated score over two hyperparameters, the others averaged."""
    title, names = "The two most important hyperparameters", _pair(record, importances)
    if len(names) < 2:
        reason = f"It takes two hyperparameters and {FEWEST_TRIALS} completed trials."
        if len(record.ranking) >= FEWEST_TRIALS and len({r.score for r in record.ranking}) < 2:
            reason = "All scores are the same."
        return missing("contour", title, reason)
    first, second = (_places(record.space[name]) for name in names)
    axes = [axis_of(name, record.space[name]) for name in names]
    scores = axis_of_scores(record)
    surface = _surface(record, names, first, second, scores)
    x, y = (
        [axis.position(record.space[axis.name].value_at(unit)) for unit in places]
        for axis, places in zip(axes, (first, second), strict=True)
    )
    is_smooth = len(x) == len(y) == GRID
    figure = figure_of(
        [_layer(x, y, surface, scores, record.direction, is_smooth), _points(record, axes)],
        400,
        showlegend=False,
        margin={"l": 56, "r": 16, "t": 8, "b": 48},
        xaxis=axis_layout(axes[0], range=_ends(axes[0]), showgrid=False),
        yaxis=axis_layout(axes[1], range=_ends(axes[1]), showgrid=False),
    )
    text = (
        f"{record.objective} over {plain(names[0], 60)} and {plain(names[1], 60)}, as a Gaussian "
        "process fitted to all trials expects it, averaged over the other hyperparameters "
        "of the trials. The points are completed trials, the star is the best one."
    )
    return Panel("contour", title, text, figure)


def _pair(record: SearchRecord, importances: Sequence[Importance]) -> list[str]:
    """Return the two most important hyperparameters that every trial has."""
    return [entry.name for entry in importances if not record.space[entry.name].when][:2]


def _places(parameter: Parameter) -> Array:
    """Return positions over a parameter: the middle of each of a few values, or a grid."""
    if parameter.count is not None and parameter.count <= FEW_VALUES:
        return (np.arange(parameter.count) + 0.5) / parameter.count
    return np.linspace(0.0, 1.0, GRID)


def _ends(axis: Axis) -> list[float]:
    """Return the ends of the surface: around a value, half of the distance to the next one."""
    half = 0.0 if axis.is_choice else axis.spread / (2 * SPREAD)
    return [axis.low - half, axis.high + half]


def _surface(
    record: SearchRecord, names: Sequence[str], first: Array, second: Array, scores: Axis
) -> Array:
    """Return the expected positions of the scores, (second, first)."""
    observations = observations_of(record.trials, record.direction)
    evidence = weigh(record.space, observations)
    assert evidence is not None, "there are completed trials"
    coordinates = evidence.coordinates
    others = evidence.units[:: max(1, len(evidence.units) // MOST_OTHERS)]
    columns = [coordinates.names.index(name) for name in names]
    surface = np.empty((len(second), len(first)))
    for row, high in enumerate(second):
        units = np.repeat(others[None], len(first), axis=0)
        units[:, :, columns[0]] = first[:, None]
        units[:, :, columns[1]] = high
        means, _ = evidence.process.predict(coordinates.points(units.reshape(-1, units.shape[-1])))
        surface[row] = means.reshape(len(first), -1).mean(axis=1)
    # The process sees scores without the extremes of bad ones; the trials show the way back.
    targets = robust_scores([loss for _, loss in observations])
    sign = 1.0 if record.direction == "min" else -1.0
    pairs = {
        float(target): scores.position(sign * loss)
        for target, (_, loss) in zip(targets, observations, strict=True)
        if loss is not None
    }
    levels = sorted(pairs)
    return np.interp(surface, levels, [pairs[level] for level in levels])


def _layer(
    x: Sequence[float],
    y: Sequence[float],
    surface: Array,
    scores: Axis,
    direction: str,
    is_smooth: bool,
) -> object:
    from plotly.graph_objects import Contour, Heatmap

    bar: dict[str, object] = {"thickness": 12, "outlinewidth": 0, "len": 1}
    if scores.ticks:
        bar |= {
            "tickvals": [place for place, _ in scores.ticks],
            "ticktext": [text for _, text in scores.ticks],
        }
    shared = {
        "x": list(x),
        "y": list(y),
        "z": surface.tolist(),
        "colorscale": [list(stop) for stop in GOODNESS],
        "reversescale": direction == "min",
        "colorbar": bar,
        "hoverinfo": "skip",
        "opacity": 0.85,
    }
    if is_smooth:
        return Contour(**shared, ncontours=14, line={"width": 0.5})
    return Heatmap(**shared)


def _points(record: SearchRecord, axes: Sequence[Axis]) -> "Scatter":
    from plotly.graph_objects import Scatter

    sample = record.ranking[:1] + record.ranking[1 :: 1 + len(record.ranking) // MOST_POINTS]
    trials = sample[::-1]
    is_best: Mapping[bool, tuple[str, str, int]] = {
        True: (BEST, "star", 16),
        False: ("#ffffff", "circle", 7),
    }
    styles = [is_best[trial is record.best] for trial in trials]
    marker = {
        "color": [colour for colour, _, _ in styles],
        "symbol": [symbol for _, symbol, _ in styles],
        "size": [size for _, _, size in styles],
        "line": {"width": 1, "color": "#1e293b"},
    }
    return Scatter(
        x=[axes[0].point(trial.values.get(axes[0].name), trial.trial) for trial in trials],
        y=[axes[1].point(trial.values.get(axes[1].name), trial.trial + 1) for trial in trials],
        mode="markers",
        marker=marker,
        hovertext=[hover_text(trial, record.objective) for trial in trials],
        hoverinfo="text",
    )
