"""The report of a search, written into files."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from tfcourse.errors import InputError
from tfcourse.files import read_file, translate_disk_errors, write_atomically
from tfcourse.report.figures.contour import contour_panel
from tfcourse.report.figures.curves import curves_panel
from tfcourse.report.figures.history import history_panel
from tfcourse.report.figures.importance_bars import importance_panel
from tfcourse.report.figures.panel import Panel
from tfcourse.report.figures.parallel import parallel_panel
from tfcourse.report.figures.pareto import pareto_panels
from tfcourse.report.figures.points import axis_of_scores
from tfcourse.report.figures.rounds import round_panels
from tfcourse.report.figures.slices import slice_panels
from tfcourse.report.importance import importances
from tfcourse.report.page.assembly import Panels, page
from tfcourse.report.pictures import save_picture
from tfcourse.search.results.search_record import SearchRecord, read_record

__all__ = ["check_packages", "panels_of", "write_report"]

# The modules that a report needs, and the names of their packages.
PACKAGES = {
    "matplotlib": "matplotlib",
    "optuna": "optuna",
    "plotly": "plotly",
    "sklearn": "scikit-learn",
}


def check_packages() -> None:
    """Raise InputError if a package is missing that a report needs."""
    missing = [
        name for module, name in PACKAGES.items() if importlib.util.find_spec(module) is None
    ]
    if missing:
        raise InputError(
            f"A report needs {' and '.join(missing)}. Install: pip install {' '.join(missing)}."
        )


@translate_disk_errors()
def write_report(directory: Path, out: Path | None = None) -> list[Path]:
    """Write ``report.html`` and a picture of each figure, and return their paths.

    Args:
        directory: The run directory of a search, which may be unfinished.
        out: The folder for the files; by default the run directory.

    Raises:
        InputError: It is not a run directory, or a package is missing.
    """
    check_packages()
    from plotly.offline import get_plotlyjs

    record = read_record(directory)
    folder = directory if out is None else out
    panels = panels_of(record)
    try:
        config = read_file(directory / "config.toml").decode("utf-8")
    except (OSError, UnicodeDecodeError):
        config = ""
    target = folder / "report.html"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(target, page(record, panels, config, get_plotlyjs()))
    return [target, *_save_pictures(panels, folder / "report")]


def _save_pictures(panels: Panels, folder: Path) -> list[Path]:
    """Draw the figures into PNG files, the small ones together, and return the paths."""
    pictures: dict[str, Sequence[Panel]] = {
        "hyperparameters": panels.slices,
        "rounds": panels.rounds,
        "pareto": panels.pareto,
        **{p.name: [p] for p in panels.single if p.figure is not None},
    }
    folder.mkdir(exist_ok=True)
    paths = []
    for name, group in pictures.items():
        if any(panel.figure is not None for panel in group):
            paths.append(folder / f"{name}.png")
            save_picture(group, paths[-1])
    return sorted(paths)


def panels_of(record: SearchRecord) -> Panels:
    """Return the figures of a search."""
    weights = importances(record.space, record.ranking, axis_of_scores(record))
    return Panels(
        history_panel(record),
        slice_panels(record),
        importance_panel(record, weights),
        contour_panel(record, weights),
        parallel_panel(record),
        curves_panel(record),
        round_panels(record),
        pareto_panels(record),
    )
