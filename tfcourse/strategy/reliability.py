"""The reliability of predicted probabilities: bins, calibration error and picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfcourse.figures import check_plot_file, save_figure
from tfcourse.formulas.calibration import (
    Bins,
    expected_calibration_error,
    reliability_bins,
    temperature_derivatives,
)
from tfcourse.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Reliability", "draw_reliability", "measure_reliability"]


@dataclass(frozen=True)
class Reliability:
    """The agreement of predicted probabilities with how often they are right.

    Attributes:
        loss: The mean negative log-likelihood.
        accuracy: The share of the predictions that is right.
        error: The expected calibration error.
        bins: The predictions by their confidence.
    """

    loss: float
    accuracy: float
    error: float
    bins: Bins


def measure_reliability(logits: Array, labels: Array, temperature: float, bins: int) -> Reliability:
    """Return the reliability of ``softmax(z/T)``.

    Args:
        logits: z, shape ``(m, C)``.
        labels: y, whole numbers of shape ``(m,)``.
        temperature: T.
        bins: The number of bins.
    """
    z = np.asarray(logits, np.float64) / temperature
    weights = np.exp(z - z.max(-1, keepdims=True))
    confidence = (weights / weights.sum(-1, keepdims=True)).max(-1)
    correct = z.argmax(-1) == labels
    in_bins = reliability_bins(confidence, correct, bins)
    loss, _, _ = temperature_derivatives(logits, labels, 1 / temperature)
    return Reliability(loss, float(correct.mean()), expected_calibration_error(in_bins), in_bins)


def draw_reliability(parts: Mapping[str, Reliability], path: str | Path) -> None:
    """Draw accuracy against confidence into a .png, .svg or .pdf file, side by side.

    Args:
        parts: The reliabilities by their title.
        path: The file.

    Raises:
        InputError: See `tfcourse.figures.check_plot_file`.
    """
    path = Path(path)
    check_plot_file(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(parts), 4.8), layout="constrained")
    axes = figure.subplots(
        2, len(parts), sharex=True, sharey="row", squeeze=False, height_ratios=(4, 1)
    )
    for column, (title, part) in enumerate(parts.items()):
        _draw_bins(axes[0, column], part)
        axes[0, column].set_title(f"{title}: calibration error {100 * part.error:.1f} %")
        _draw_counts(axes[1, column], part)
    axes[0, 0].set_ylabel("accuracy")
    axes[1, 0].set_ylabel("predictions")
    save_figure(figure, path)


def _draw_bins(axes: "Axes", part: Reliability) -> None:
    bins, width = part.bins, 1 / len(part.bins.sizes)
    full = bins.sizes > 0
    centres = (np.arange(len(full)) + 0.5) * width
    axes.bar(centres[full], bins.accuracy[full], width, color="C0", edgecolor="white")
    # From the accuracy to the confidence: up where the model is too sure, down where it is not.
    low = np.minimum(bins.accuracy, bins.confidence)[full]
    height = np.abs(bins.accuracy - bins.confidence)[full]
    axes.bar(
        *(centres[full], height, width, low), color="C3", alpha=0.35, label="gap to the confidence"
    )
    axes.plot([0, 1], [0, 1], color="0.3", linestyle="--", label="perfect calibration")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, loc="upper left")


def _draw_counts(axes: "Axes", part: Reliability) -> None:
    width = 1 / len(part.bins.sizes)
    centres = (np.arange(len(part.bins.sizes)) + 0.5) * width
    axes.bar(centres, part.bins.sizes, width, color="0.6", edgecolor="white")
    axes.set_xlabel("confidence")
