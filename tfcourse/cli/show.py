"""The command that shows a search by its run directory."""

from typing import Annotated

import typer

from tfcourse.cli.options import Debug, Quiet, RunDir, json_option
from tfcourse.cli.output import SEARCH_KEYS, print_result, print_search_json
from tfcourse.terminal import console, reporting

__all__ = ["show"]


def show(
    run_dir: RunDir,
    top: Annotated[
        int | None, typer.Option(min=1, help="The number of best trials to show.")
    ] = None,
    as_json: Annotated[bool, json_option(*SEARCH_KEYS)] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show a search from its run directory, finished or not. Its data is not needed."""
    with reporting(debug, quiet, as_json):
        from tfcourse.search.results.search_record import read_record

        if as_json:
            print_search_json(run_dir, top)
            return
        record = read_record(run_dir)
        if record.result is None:
            record.print_on(console, top)
        else:
            print_result(record.result, top=top, quiet=quiet)
