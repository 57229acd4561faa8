"""The figure of the hyperparameters' importance."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tfcourse.report.figures.panel import ACCENT, Panel, figure_of, missing
from tfcourse.report.figures.slices import condition_in_words
from tfcourse.report.importance import FEWEST_TRIALS, Importance
from tfcourse.report.labels import label, plain
from tfcourse.search.results.search_record import SearchRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Bar

__all__ = ["importance_panel"]


def importance_panel(record: SearchRecord, importances: Sequence[Importance]) -> Panel:
    """Return the shares of the scores' variance as bars, with their uncertainty."""
    title = "Importance of the hyperparameters"
    if not importances:
        count, several = len(record.ranking), len({r.score for r in record.ranking}) > 1
        reason = f"It takes {FEWEST_TRIALS} completed trials; there are {count}."
        if count >= FEWEST_TRIALS:
            reason = "All trials have the same values." if several else "All scores are the same."
        return missing("importance", title, reason)
    bars = importances[::-1]
    figure = figure_of(
        [_bars(bars)],
        max(330, 90 + 32 * len(bars)),
        showlegend=False,
        margin={"l": 56, "r": 16, "t": 8, "b": 44},
        xaxis={
            "title": {"text": "share of the variance"},
            "tickformat": ".0%",
            "rangemode": "tozero",
        },
        yaxis={
            "tickmode": "array",
            "tickvals": list(range(len(bars))),
            "ticktext": [_name(record, entry) for entry in bars],
            "automargin": True,
            "showgrid": False,
        },
    )
    return Panel("importance", title, _text(record, importances), figure)


def _text(record: SearchRecord, importances: Sequence[Importance]) -> str:
    first = importances[0]
    text = (
        "The share of the variance of completed trials' scores that each explains alone, by "
        "fANOVA: "
        f"{plain(first.name, 60)} explains most, {first.share:.0%}. The thin lines reach from the "
        "10 % to the 90 % quantile over random forests with different seeds and resampled trials."
    )
    if any(record.space[entry.name].when for entry in importances):
        text += " The share of a conditional one is that among the trials that have it."
    absent = [name for name in record.space if name not in {e.name for e in importances}]
    if absent:
        text += f" Too few trials or values for {plain(', '.join(absent))}."
    return text


def _bars(entries: Sequence[Importance]) -> "Bar":
    from plotly.graph_objects import Bar

    return Bar(
        x=[entry.share for entry in entries],
        y=list(range(len(entries))),
        orientation="h",
        marker={"color": ACCENT, "opacity": 0.6},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, entry.high - entry.share) for entry in entries],
            "arrayminus": [max(0.0, entry.share - entry.low) for entry in entries],
            "color": "#64748b",
            "thickness": 2,
        },
        hovertext=[
            f"{label(e.name, 40)}: {e.share:.0%} ({e.low:.0%} to {e.high:.0%}), "
            f"from {e.trials} trials"
            for e in entries
        ],
        hoverinfo="text",
    )


def _name(record: SearchRecord, entry: Importance) -> str:
    condition = condition_in_words(record, entry.name)
    return label(entry.name, 24) + (f"<br>{label(condition, 26)}" if condition else "")
