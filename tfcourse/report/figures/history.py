"""The figure of score against trial."""

from tfcourse.report.figures.panel import BEST, Panel, axis_layout, figure_of, missing
from tfcourse.report.figures.points import axis_of_scores, point_traces
from tfcourse.search.results.outcomes import reason_without_best
from tfcourse.search.results.search_record import SearchRecord

__all__ = ["history_panel"]

# Up to this number of trials, each has a tick.
FEW_TRIALS = 10


def history_panel(record: SearchRecord) -> Panel:
    """Return the scores in the order of the trials, with the best so far."""
    title = "Score against trial"
    if not record.ranking:
        reason = reason_without_best(record.trials).capitalize()
        return missing("history", title, f"{reason}, so there is no score to show.")
    from plotly.graph_objects import Scatter

    axis = axis_of_scores(record)
    best, numbers, line = None, list[int](), list[float]()
    for number, trial in sorted(record.trials.items()):
        if trial.status == "completed" and trial.score is not None:
            better = max if record.direction == "max" else min
            best = trial.score if best is None else better(best, trial.score)
        if best is not None:
            numbers.append(number)
            line.append(axis.position(best))
    steps = Scatter(
        x=numbers,
        y=line,
        mode="lines",
        name="best so far",
        line={"color": BEST, "width": 2, "shape": "hv"},
        hoverinfo="skip",
    )
    points = point_traces(record, axis, lambda trial: float(trial.trial))
    figure = figure_of(
        [steps, *points],
        360,
        xaxis={
            "title": {"text": "trial"},
            "zeroline": False,
            "range": [-0.5, max(record.trials) + 0.5],
            **({"dtick": 1} if max(record.trials) < FEW_TRIALS else {}),
        },
        yaxis=axis_layout(axis),
    )
    text = "Each point is a trial; the line is the best score so far."
    if len(record.ranking) < len(record.trials):
        text += " Trials without a score lie beyond the worst one."
    return Panel("history", title, text, figure)
