"""The command that shows a babysitter's journal."""

from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.nudge import Run
from tfcourse.cli.options import Debug, Quiet
from tfcourse.terminal import console, reporting, result_stream

__all__ = ["journal"]


def journal(
    run_dir: Run,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A picture of the run with its nudges and rollbacks."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each entry.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show a babysitter's journal, also while it trains, or draw it."""
    with reporting(debug, quiet, as_json):
        from tfcourse.babysit.folders import RunFolder
        from tfcourse.babysit.journal import read_journal
        from tfcourse.babysit.texts import dated
        from tfcourse.figures import check_plot_file

        if plot is not None:
            check_plot_file(plot)
        folder = RunFolder(run_dir)
        folder.check_journal()
        entries = read_journal(folder.journal)
        for entry in entries:
            if as_json:
                result_stream().write(entry.as_line())
            else:
                console.print(dated(entry), highlight=False, soft_wrap=True)
        if plot is not None:
            from tfcourse.babysit.picture import save_picture

            save_picture(entries, plot, run_dir.resolve().name)
            if not (as_json or quiet):
                console.print(f"{'picture':<12}{plot}", highlight=False, soft_wrap=True)
