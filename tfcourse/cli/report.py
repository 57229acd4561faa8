"""The command that writes the report of a search."""

from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.options import Debug, RunDir
from tfcourse.terminal import console, reporting

__all__ = ["report"]


def report(
    run_dir: RunDir,
    out: Annotated[
        Path | None, typer.Option(help="The folder for the files; RUN_DIR by default.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Write report.html, one page about a search that needs no network, and pictures."""
    with reporting(debug):
        from tfcourse.report.report import write_report

        for line in write_report(run_dir, out):
            console.print(line, highlight=False, soft_wrap=True)
