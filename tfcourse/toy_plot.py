"""A picture of the toy's descent."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfcourse.errors import InputError

if TYPE_CHECKING:
    from tfcourse.toy import ToyResult

__all__ = ["check_plot_file", "save_plot"]


def check_plot_file(path: Path) -> None:
    """Check that a plot can be drawn into ``path``.

    Raises:
        InputError: matplotlib is missing, the folder does not exist, or the format is unknown.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("A plot needs matplotlib. Install it: pip install matplotlib.")
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"The plot must be a .png, .svg or .pdf file. Received: {path}.")
    if not path.parent.is_dir():
        raise InputError(f"The plot's folder does not exist: {path.parent}.")


def save_plot(result: "ToyResult", path: Path) -> None:
    """Draw w and the cost over the steps into a file; see `check_plot_file`."""
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
    figure.savefig(path)
