"""The command that shows a search by its run directory."""

from typing import Annotated

import typer

from tfcourse.cli.options import Debug, RunDir
from tfcourse.cli.output import print_json, print_result
from tfcourse.terminal import console, reporting

__all__ = ["show"]


def show(
    run_dir: RunDir,
    top: Annotated[
        int | None, typer.Option(min=1, help="The number of best trials to show.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary and the trials as JSON.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Show a search from its run directory, finished or not. Its data is not needed."""
    with reporting(debug):
        from tfcourse.search.results.search_record import read_record

        record = read_record(run_dir)
        if as_json:
            print_json(record.as_json(top))
        elif record.result is None:
            record.print_on(console, top)
        else:
            print_result(record.result, top=top)
