"""The command that compares searches by their run directories."""

from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.options import Debug
from tfcourse.cli.output import print_json
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
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Compare searches: their scores, trials, seconds and settings."""
    with reporting(debug):
        from tfcourse.search.results.comparison import compare as compare_searches
        from tfcourse.toy_plot import check_plot_file

        if plot is not None:
            check_plot_file(plot)
        comparison = compare_searches(run_dirs)
        if as_json:
            print_json(comparison.as_json())
        else:
            comparison.print_on(console)
        if plot is not None:
            from tfcourse.report.comparison import save_comparison

            save_comparison(comparison, plot)
            if not as_json:
                console.print(f"{'picture':<12}{plot}", highlight=False, soft_wrap=True)
