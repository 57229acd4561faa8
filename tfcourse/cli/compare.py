"""The command that compares searches by their run directories."""

from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.options import Debug, Quiet, json_option
from tfcourse.cli.output import print_json
from tfcourse.notices import working
from tfcourse.terminal import console, reporting

__all__ = ["compare"]


def compare(
    run_dirs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_DIR", help="The run directories of two searches or more."),
    ],
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A picture of the best score so far, such as a.png."),
    ] = None,
    as_json: Annotated[
        bool,
        json_option(
            *("objective", "direction", "fewest_trials", "searches", "differences", "hints"),
            "picture",
        ),
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare searches: their scores, trials, seconds and settings."""
    with reporting(debug, quiet, as_json):
        from tfcourse.figures import check_plot_file
        from tfcourse.search.results.comparison import compare as compare_searches

        if plot is not None:
            check_plot_file(plot)
        comparison = compare_searches(run_dirs)
        if not as_json:
            comparison.print_on(console)
        if plot is not None:
            from tfcourse.report.comparison import save_comparison

            with working("Drawing the picture", disable=quiet):
                save_comparison(comparison, plot)
            if not (as_json or quiet):
                console.print(f"{'picture':<12}{plot}", highlight=False, soft_wrap=True)
        if as_json:
            print_json(comparison.as_json() | {"picture": plot})
