"""The figure of the learning curves."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfcourse.report.axes import Axis, score_axis
from tfcourse.report.figures.panel import (
    ACCENT,
    BEST,
    FAILED,
    MUTED,
    Panel,
    axis_layout,
    figure_of,
    missing,
)
from tfcourse.report.labels import hover_text, label
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.search_record import SearchRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Scatter

__all__ = ["curves_panel"]

# More points are slow to draw: of more trials the best and an even choice of the others are shown.
MOST_POINTS = 20_000
FEWEST_TRIALS = 100
# Up to this number of epochs, each has a tick.
FEW_EPOCHS = 12


def curves_panel(record: SearchRecord) -> Panel:
    """Return the objective by epoch of all trials, the best one highlighted."""
    title, metric = "Learning curves", record.objective
    trials = [trial for trial in record.trials.values() if _values(trial, metric)]
    if not trials:
        reason = f"No trial has values of {metric} by epoch."
        return missing("curves", title, reason)
    trials, note = _choice(record, trials)
    best = record.best if record.best in trials else None
    axis = _axis(record, trials, best)
    traces = _curves(record, axis, trials, best)
    epochs = max(len(trial.history[metric]) for trial in trials)
    figure = figure_of(
        [trace for trace in traces if trace is not None],
        380,
        xaxis={
            "title": {"text": "epoch"},
            "zeroline": False,
            **({"dtick": 1} if epochs <= FEW_EPOCHS else {}),
        },
        yaxis=axis_layout(axis),
    )
    return Panel("curves", title, f"{metric} of each trial after each epoch.{note}", figure)


def _axis(record: SearchRecord, trials: Sequence[TrialRecord], best: TrialRecord | None) -> Axis:
    """Return the axis of the objective of all trials, and of the best one's on the train set."""
    values = [value for trial in trials for value in _values(trial, record.objective)]
    if best is not None:
        values += _values(best, record.objective.removeprefix("val_"))
    return score_axis(record.objective, values)


def _curves(
    record: SearchRecord, axis: Axis, trials: Sequence[TrialRecord], best: TrialRecord | None
) -> "list[Scatter | None]":
    """Return the traces: the other trials, the failed ones, and the best one on both sets."""
    metric = record.objective
    train = metric.removeprefix("val_")
    others = [trial for trial in trials if trial is not best]
    failed = [trial for trial in others if trial.status == "failed"]
    others = [trial for trial in others if trial.status != "failed"]
    traces = [
        _trace(record, axis, metric, others, "trials", ACCENT),
        _trace(record, axis, metric, failed, "failed", FAILED),
    ]
    if best is None:
        return traces
    if train != metric and _values(best, train):
        dotted = {"color": MUTED, "width": 2, "dash": "dot"}
        traces.append(
            _line(record, axis, best, train, f"best: training {label(train, 30)}", dotted)
        )
    strong = {"color": BEST, "width": 3}
    return [*traces, _line(record, axis, best, metric, f"best: trial {best.trial}", strong)]


def _values(trial: TrialRecord, metric: str) -> list[float]:
    """Return the values of a metric by epoch, NaN where it was not finite."""
    values = [math.nan if v is None else float(v) for v in trial.history.get(metric, ())]
    return [v if math.isfinite(v) else math.nan for v in values]


def _choice(record: SearchRecord, trials: list[TrialRecord]) -> tuple[list[TrialRecord], str]:
    """Return the trials to show and, if they are not all, a sentence about them."""
    points = sum(len(trial.history[record.objective]) for trial in trials)
    if points <= MOST_POINTS or len(trials) <= FEWEST_TRIALS:
        return trials, ""
    count = max(FEWEST_TRIALS, len(trials) * MOST_POINTS // points)
    numbers = {trial.trial for trial in trials}
    best = [trial for trial in record.ranking if trial.trial in numbers][: count // 2]
    numbers -= {trial.trial for trial in best}
    others = [trial for trial in trials if trial.trial in numbers]
    others = others[:: max(1, math.ceil(len(others) / (count - len(best))))]
    return [*best, *others], (
        f" Of {len(trials)} trials, the {len(best)} best and {len(others)} of the others."
    )


def _points(
    record: SearchRecord, axis: Axis, trial: TrialRecord, metric: str
) -> tuple[list[int], list[float], list[str]]:
    values = _values(trial, metric)
    hover = hover_text(trial, record.objective)
    return (
        list(range(1, len(values) + 1)),
        [axis.position(value) for value in values],
        [hover] * len(values),
    )


def _trace(
    record: SearchRecord,
    axis: Axis,
    metric: str,
    trials: Sequence[TrialRecord],
    name: str,
    colour: str,
) -> "Scatter | None":
    """Return the curves of trials as one trace, which is drawn faster than many."""
    from plotly.graph_objects import Scatter

    if not trials:
        return None
    xs, ys, texts = list[int | None](), list[float | None](), list[str]()
    for trial in trials:
        x, y, text = _points(record, axis, trial, metric)
        xs += [*x, None]
        ys += [*y, None]
        texts += [*text, ""]
    single = all(len(_values(trial, metric)) == 1 for trial in trials)
    return Scatter(
        x=xs,
        y=ys,
        mode="lines+markers" if single else "lines",
        name=name,
        line={"color": colour, "width": 1},
        opacity=max(0.2, min(0.6, 12 / len(trials))),
        hovertext=texts,
        hoverinfo="text",
    )


def _line(
    record: SearchRecord,
    axis: Axis,
    trial: TrialRecord,
    metric: str,
    name: str,
    line: dict[str, object],
) -> "Scatter":
    from plotly.graph_objects import Scatter

    x, y, text = _points(record, axis, trial, metric)
    mode = "lines" if len(x) > 1 else "markers"
    return Scatter(x=x, y=y, mode=mode, name=name, line=line, hovertext=text, hoverinfo="text")
