"""The figures of a report as PNG files, artist by matplotlib.

Plotly's own pictures need a browser. `draw` takes those of plotly's traces and settings that the
figures of this report have.
"""

import html
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfcourse.files import replace_atomically
from tfcourse.report.figures.panel import GOODNESS, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw", "save_picture"]

# Small figures share a picture, this many in a row.
COLUMNS = 3
_MARKERS = {"circle": "o", "x": "x", "star": "*", "diamond-open": "D"}
_STYLES = {"dot": ":", "dash": "--"}

Trace = Mapping[str, Any]


def save_picture(panels: Sequence[Panel], path: Path) -> None:
    """Draw one panel, or several in a grid, into a PNG file."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    size = (8.0, 4.6) if len(panels) == 1 else (4.2 * columns, 3.0 * rows)
    if len(panels) == 1:
        size = (max(8.0, panels[0].width / 90), 4.6)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12))
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, panel in zip(places, panels, strict=False):
        draw(axes, panel)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    with warnings.catch_warnings():
        # A name may have characters that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        replace_atomically(path, lambda target: _save(figure, target))


def _save(figure: "Figure", path: Path) -> None:
    figure.savefig(path, format="png", dpi=130)


def draw(axes: "Axes", panel: Panel) -> None:
    """Draw the figure of a panel; its reason where it has none."""
    axes.set_title(_text(panel.title), fontsize=10, loc="left", fontweight="bold")
    if panel.figure is None:
        axes.set_axis_off()
        axes.text(0.0, 0.9, _text(panel.text), va="top", wrap=True, transform=axes.transAxes)
        return
    raw = panel.figure.to_plotly_json()
    for trace in raw["data"]:
        _DRAW[trace["type"]](axes, trace)
    layout = raw["layout"]
    if raw["data"][0]["type"] == "parcoords":
        return
    _set_axis(axes.xaxis, axes.set_xlim, layout.get("xaxis", {}), axes.set_xlabel)
    _set_axis(axes.yaxis, axes.set_ylim, layout.get("yaxis", {}), axes.set_ylabel)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if layout.get("showlegend") is not False:
        axes.legend(fontsize=8, frameon=False)


def _set_axis(
    axis: Any,
    set_limits: Callable[..., object],
    layout: Mapping[str, Any],
    set_title: Callable[[str], object],
) -> None:
    from matplotlib.ticker import MultipleLocator

    if "tickvals" in layout:
        axis.set_ticks(layout["tickvals"], [_text(text) for text in layout["ticktext"]])
    elif layout.get("tickformat") == ".0%":
        axis.set_major_formatter(lambda share, _: f"{share:.0%}")
    elif "dtick" in layout:
        axis.set_major_locator(MultipleLocator(layout["dtick"]))
    axis.set_tick_params(labelsize=8, length=0)
    if "range" in layout:
        set_limits(*layout["range"])
    title = (layout.get("title") or {}).get("text")
    if title:
        set_title(_text(title))


def _scatter(axes: "Axes", trace: Trace) -> None:
    x, y = (np.array(trace[key], dtype=float) for key in ("x", "y"))
    name = _text(trace.get("name") or "")
    if "lines" in trace["mode"]:
        line = trace["line"]
        axes.plot(
            x,
            y,
            color=line["color"],
            linewidth=line["width"],
            linestyle=_STYLES.get(line.get("dash", ""), "-"),
            drawstyle="steps-post" if line.get("shape") == "hv" else "default",
            alpha=trace.get("opacity"),
            label=name or "_",
        )
        return
    marker = trace.get("marker") or trace["line"]
    colours, symbols, sizes = (
        _each(marker.get(key, default), len(x))
        for key, default in (("color", "0.5"), ("symbol", "circle"), ("size", 8))
    )
    for symbol in dict.fromkeys(symbols):
        rows = [row for row, other in enumerate(symbols) if other == symbol]
        axes.scatter(
            x[rows],
            y[rows],
            s=[(0.75 * sizes[row]) ** 2 for row in rows],
            c=[colours[row] for row in rows],
            marker=_MARKERS.get(symbol, "o"),
            alpha=marker.get("opacity"),
            label=name or "_",
            zorder=4 if symbol == "star" else 3,
            clip_on=False,
            edgecolors=None if symbol == "x" else "0.2",
            linewidths=1.2 if symbol == "x" else 0.5,
        )


def _each(value: object, count: int) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] * count


def _bar(axes: "Axes", trace: Trace) -> None:
    error = trace.get("error_x")
    bars = None if error is None else [error["arrayminus"], error["array"]]
    axes.barh(
        trace["y"],
        trace["x"],
        left=trace.get("base", 0),
        height=trace.get("width", 0.7),
        color=trace["marker"]["color"],
        alpha=trace["marker"]["opacity"],
        xerr=bars,
        error_kw={"ecolor": "0.35", "capsize": 3},
    )


def _surface(axes: "Axes", trace: Trace) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("goodness", list(GOODNESS))
    colours = colours.reversed() if trace.get("reversescale") else colours
    x, y, z = trace["x"], trace["y"], np.array(trace["z"])
    artist: Any
    if trace["type"] == "contour":
        artist = axes.contourf(x, y, z, levels=14, cmap=colours)
    else:
        artist = axes.pcolormesh(x, y, z, shading="nearest", cmap=colours)
    bar = axes.figure.colorbar(artist, ax=axes)
    if "tickvals" in trace["colorbar"]:
        bar.set_ticks(trace["colorbar"]["tickvals"], labels=trace["colorbar"]["ticktext"])
        bar.ax.set_ylim(*artist.get_clim())


def _parallel(axes: "Axes", trace: Trace) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("goodness", list(GOODNESS))
    dimensions = trace["dimensions"]
    heights = []
    for place, dimension in enumerate(dimensions):
        low, high = dimension["range"]
        heights.append((np.array(dimension["values"]) - low) / (high - low))
        axes.axvline(place, color="0.4", linewidth=0.8)
        for value, text in zip(dimension["tickvals"], dimension["ticktext"], strict=True):
            height = (value - low) / (high - low)
            if -0.01 <= height <= 1.01:
                axes.text(place - 0.04, height, _text(text), fontsize=7, ha="right", va="center")
    lines = np.stack(heights, axis=1)
    points = np.stack([np.broadcast_to(np.arange(len(dimensions)), lines.shape), lines], axis=2)
    colour = colours(np.array(trace["line"]["color"], dtype=float))
    axes.add_collection(LineCollection(list(points), colors=colour, linewidths=1.0, alpha=0.7))
    axes.set_xlim(-0.6, len(dimensions) - 0.8)
    axes.set_ylim(-0.03, 1.03)
    names = [_text(dimension["label"]) for dimension in dimensions]
    axes.set_xticks(range(len(dimensions)), names, fontsize=8, rotation=15)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _text(label: str) -> str:
    """Return a label of plotly's as matplotlib's text, in which a dollar sign begins a formula."""
    return html.unescape(label.replace("<br>", "\n")).replace("$", r"\$")


_DRAW: dict[str, Callable[["Axes", Trace], None]] = {
    "scatter": _scatter,
    "bar": _bar,
    "contour": _surface,
    "heatmap": _surface,
    "parcoords": _parallel,
}
