"""A picture of the toy's descent."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfcourse.figures import save_figure

if TYPE_CHECKING:
    from tfcourse.toy import ToyResult

__all__ = ["save_plot"]


def save_plot(result: "ToyResult", path: Path) -> None:
    """Draw w and the cost over the steps into a file; see `tfcourse.figures`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    top, bottom = figure.subplots(2, sharex=True)
    top.axhline(result.minimum, color="0.7", linestyle="--", label=f"minimum {result.minimum:g}")
    top.plot(result.w_history)
    top.set_ylabel("w")
    top.legend(frameon=False, loc="lower right")
    # In float64 from w: near the minimum the float32 cost is rounding, and even negative.
    excess = result.coefficients[0] * (result.w_history.astype(float) - result.minimum) ** 2
    bottom.semilogy(np.where(excess > 0, excess, np.nan))
    bottom.set_ylabel("cost above the minimum")
    bottom.set_xlabel("step")
    save_figure(figure, path, 100)
