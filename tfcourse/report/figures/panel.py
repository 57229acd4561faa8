"""A figure of the report with its title and its text, and the settings that all figures share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfcourse.report.axes import Axis
from tfcourse.report.labels import label

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = [
    "ACCENT",
    "BEST",
    "FAILED",
    "GOODNESS",
    "MUTED",
    "OTHER",
    "Panel",
    "axis_layout",
    "figure_of",
    "missing",
]

# Colours that can be told apart on white and on near-black, also with red-green blindness.
ACCENT, BEST, FAILED, OTHER, MUTED = "#3b82f6", "#f59e0b", "#dc2626", "#a855f7", "#8b98ab"
# From the worst to the best score.
GOODNESS = ((0.0, "#8b98ab"), (0.6, "#3b82f6"), (0.85, "#8b5cf6"), (1.0, "#f59e0b"))


@dataclass(frozen=True)
class Panel:
    """A figure, or the reason why there is none.

    Attributes:
        name: Its name in the page and that of its picture, of letters, digits and dashes.
        title: Its title.
        text: A description in words, for the caption and for screen readers.
        figure: The figure; None if there is nothing to show.
        width: The least width in pixels at which it can be read.
    """

    name: str
    title: str
    text: str
    figure: "Figure | None" = None
    width: int = 0


def missing(name: str, title: str, reason: str) -> Panel:
    """Return a panel without a figure, whose text is the reason."""
    return Panel(name, title, reason)


def figure_of(traces: Sequence[object], height: int, **layout: object) -> "Figure":
    """Return a figure of traces with the margins, legend and hovering of all figures.

    Colours of text and grid are the page's, which has a light and a dark theme.

    Args:
        traces: Plotly's traces.
        height: The height in pixels; the width is the page's.
        layout: Further settings of plotly's layout.
    """
    from plotly.graph_objects import Figure

    shared = {
        "height": height,
        "margin": {"l": 56, "r": 16, "t": 36, "b": 48},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom"},
        "hovermode": "closest",
        "hoverlabel": {"align": "left"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }
    return Figure(list(traces), {**shared, **layout})


def axis_layout(axis: Axis, **settings: object) -> Mapping[str, Any]:
    """Return plotly's settings of an axis.

    Args:
        axis: The axis.
        settings: Further settings.
    """
    layout: dict[str, Any] = {
        "title": {"text": label(axis.name, 40), "standoff": 8},
        "range": list(axis.padded),
        "zeroline": False,
        "automargin": True,
        **settings,
    }
    # The texts of a choice share the width of a small figure.
    longest = max(6, 42 // len(axis.ticks)) if axis.is_choice else 18
    if axis.ticks:
        layout |= {
            "tickmode": "array",
            "tickvals": [position for position, _ in axis.ticks],
            "ticktext": [label(text, longest) for _, text in axis.ticks],
            "ticklabeloverflow": "allow",
        }
    return layout
