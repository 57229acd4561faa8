"""The command that writes the report of a search."""

from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.options import Debug, Quiet, RunDir, json_option
from tfcourse.cli.output import print_json
from tfcourse.notices import working
from tfcourse.terminal import console, reporting

__all__ = ["check_report", "print_report", "report"]


def report(
    run_dir: RunDir,
    out: Annotated[
        Path | None, typer.Option(help="The folder for the files; RUN_DIR by default.")
    ] = None,
    as_json: Annotated[bool, json_option("report", "pictures")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a report of a search: one page that needs no network.

    Also a PNG file of each figure.
    """
    with reporting(debug, quiet, as_json):
        page, *pictures = print_report(run_dir, out, quiet, as_json)
        if as_json:
            print_json({"report": page, "pictures": pictures})


def check_report() -> None:
    """Raise InputError if a package is missing that a report needs."""
    from tfcourse.report.report import check_packages

    check_packages()


def print_report(
    run_dir: Path, out: Path | None = None, quiet: bool = False, as_json: bool = False
) -> list[Path]:
    """Write the report of a search, print the paths of its files but for JSON, and return them."""
    from tfcourse.report.report import write_report

    with working("Writing the report", disable=quiet):
        paths = write_report(run_dir, out)
    if as_json:
        return paths
    first, *pictures = paths
    console.print(f"{'report':<12}{first}", highlight=False, soft_wrap=True)
    for place in sorted({picture.parent for picture in pictures}):
        count = sum(picture.parent == place for picture in pictures)
        line = f"{'pictures':<12}{place} ({count} PNG files)"
        console.print(line, highlight=False, soft_wrap=True)
    return paths
