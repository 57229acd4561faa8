"""Files of matplotlib's figures: the check before the work, and the writing."""

import importlib.util
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tfcourse.errors import InputError
from tfcourse.files import replace_atomically, translate_disk_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["check_plot_file", "plain_text", "save_figure"]


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


def plain_text(text: str) -> str:
    r"""Return a text as matplotlib's, in which $ begins a formula."""
    return text.replace("$", r"\$")


@translate_disk_errors()
def save_figure(figure: "Figure", path: Path, dpi: int = 130) -> None:
    """Write a figure into a file, whole or not at all.

    Raises:
        DiskError: It can't be written.
    """
    with warnings.catch_warnings():
        # A name may have characters that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        replace_atomically(path, lambda temporary: figure.savefig(temporary, dpi=dpi))
