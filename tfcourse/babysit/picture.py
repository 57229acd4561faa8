"""The picture of a run: its losses, also of what was rolled back, and what was done to it."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tfcourse.babysit.entries import Entry
from tfcourse.babysit.state import RunState, follow, state_of
from tfcourse.babysit.texts import effect
from tfcourse.console import one_line
from tfcourse.figures import check_plot_file, plain_text, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Branch", "branches", "save_picture"]

BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "0.55"
MOST_LINES, LONGEST_LINE = 16, 105
MOST_HYPERPARAMETERS = 4


class Branch(NamedTuple):
    """The epochs of a training from its beginning, or from a rollback, to its end or the next one.

    Attributes:
        epochs: Their entries, after that of the epoch that was returned to.
        survives: Whether none of them was rolled back; of the last branch it is True.
    """

    epochs: tuple[Entry, ...]
    survives: bool


def branches(entries: Iterable[Entry]) -> list[Branch]:
    """Return the branches of a training, the abandoned ones first and the surviving one last."""
    abandoned, state = [], RunState()
    for entry in entries:
        before, state = state, follow(state, entry)
        if entry.kind == "rollback" and len(state.epochs) < len(before.epochs):
            first = max(0, len(state.epochs) - 1)
            abandoned.append(Branch(before.epochs[first:], False))
    return [*abandoned, Branch(state.epochs, True)]


def save_picture(entries: Sequence[Entry], path: Path, name: str) -> None:
    """Draw a run into a file.

    Args:
        entries: The entries of its journal.
        path: The file: .png, .svg or .pdf.
        name: The run's name, for the title.

    Raises:
        InputError: matplotlib is missing, the folder does not exist, or the format is unknown.
    """
    check_plot_file(path)
    from matplotlib.figure import Figure

    parts = branches(entries)
    events = [entry for entry in entries if entry.kind not in ("start", "epoch", "end")]
    rows = _hyperparameters(entries)
    lines = _lines(events)
    heights = [3.2, *[0.9] * len(rows), 0.3 + 0.17 * len(lines)]
    figure = Figure(figsize=(9, sum(heights) + 0.6), layout="constrained")
    axes = figure.subplots(len(heights), height_ratios=heights, squeeze=False)[:, 0]
    _draw_losses(axes[0], parts)
    axes[0].set_title(plain_text(name), loc="left")
    _draw_rollbacks(axes[0], events)
    for place, hyperparameter in zip(axes[1:], rows, strict=False):
        _draw_values(place, parts, hyperparameter)
    for place in axes[:-1]:
        place.sharex(axes[0])
        place.grid(color="0.93")
        place.spines[["top", "right"]].set_visible(False)
        place.label_outer()
        _draw_events(place, events)
    axes[0].set_xlim(0.5, max([*(e.epoch for p in parts for e in p.epochs), 1]) + 0.5)
    axes[0].xaxis.get_major_locator().set_params(integer=True)
    axes[-2].tick_params(labelbottom=True)
    axes[-2].set_xlabel("epoch")
    axes[-1].axis("off")
    for number, line in enumerate(lines):
        y = 1 - (number + 0.5) / max(len(lines), 1)
        axes[-1].text(0, y, plain_text(line), fontsize=8, va="center", transform=axes[-1].transAxes)
    save_figure(figure, path)


def _draw_losses(axes: "Axes", parts: Sequence[Branch]) -> None:
    for name, color in (("loss", BLUE), ("val_loss", ORANGE)):
        labels = iter((name,))
        for branch in reversed(parts):
            points = [(e.epoch, e.logs[name]) for e in branch.epochs if name in e.logs]
            points = [(x, y if math.isfinite(y) else math.nan) for x, y in points]
            if not points:
                continue
            style: dict[str, Any] = {} if branch.survives else {"linestyle": ":", "alpha": 0.6}
            label = next(labels, None) if branch.survives else None
            marker = "." if len(points) < 60 else ""
            axes.plot(*zip(*points, strict=True), color=color, marker=marker, label=label, **style)
    values = [e.logs["loss"] for p in parts for e in p.epochs if "loss" in e.logs]
    if values and all(value > 0 for value in values if math.isfinite(value)):
        axes.set_yscale("log")
    axes.set_ylabel("loss")
    if len(parts) > 1:
        axes.plot([], [], color=GRAY, linestyle=":", label="rolled back")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)


def _draw_values(axes: "Axes", parts: Sequence[Branch], name: str) -> None:
    for branch in parts:
        points = [(e.epoch, e.values[name]) for e in branch.epochs if name in e.values]
        if not points:
            continue
        style = {"color": BLUE} if branch.survives else {"color": GRAY, "linestyle": ":"}
        axes.step(*zip(*points, strict=True), where="mid", **style)
    if name == "learning_rate":
        axes.set_yscale("log")
    axes.set_title(name, loc="left", fontsize=8, pad=2)
    axes.tick_params(which="both", labelsize=7)


def _draw_events(axes: "Axes", events: Sequence[Entry]) -> None:
    """Draw a line before the epoch of each event: solid for a rollback, dashed for others."""
    for entry in events:
        style = "-" if entry.kind == "rollback" else "--"
        axes.axvline(entry.epoch - 0.5, color="0.75", linewidth=0.8, linestyle=style, zorder=0)


def _draw_rollbacks(axes: "Axes", events: Sequence[Entry]) -> None:
    """Draw an arrow back to its epoch for each rollback."""
    for number, entry in enumerate(event for event in events if event.kind == "rollback"):
        height = 0.96 - 0.05 * (number % 5)
        axes.annotate(
            "",
            xy=((entry.to or 0) + 0.5, height),
            xytext=(entry.epoch - 0.5, height),
            xycoords=axes.get_xaxis_transform(),
            arrowprops={"arrowstyle": "->", "color": GRAY},
        )


def _hyperparameters(entries: Sequence[Entry]) -> list[str]:
    """Return the learning rate and the hyperparameters that change, in the order of changes."""
    start = state_of(entries).start
    changed = [name for entry in entries for name in entry.changes]
    names = dict.fromkeys(["learning_rate", *changed])
    return [name for name in names if name in start][:MOST_HYPERPARAMETERS]


def _lines(events: Sequence[Entry]) -> list[str]:
    """Return a line for each event, or for the first and the last ones of many."""
    lines = []
    for entry in events:
        because = f" ({entry.because})" if entry.because else ""
        lines.append(one_line(f"{effect(entry)}{because}", LONGEST_LINE))
    if len(lines) <= MOST_LINES:
        return lines
    half = MOST_LINES // 2
    return [*lines[:half], f"… {len(lines) - 2 * half} more …", *lines[-half:]]
