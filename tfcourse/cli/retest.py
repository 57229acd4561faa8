"""The command that runs old trials again."""

from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.options import Debug
from tfcourse.terminal import console, import_tensorflow, reporting

__all__ = ["retest"]


def retest(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="The run directory of a search.")
    ],
    top: Annotated[int, typer.Option(help="How many of the best trials.")] = 5,
    seed: Annotated[
        int | None, typer.Option(help="Another seed than the search's, for all of them.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Run the best old trials again on today's data and code. Do order and scores hold?"""
    with reporting(debug):
        import_tensorflow()
        from tfcourse.search.results.retest_result import retest_lines, retest_table
        from tfcourse.search.retest import retest as run_again

        found = run_again(run_dir, top, seed)
        console.print(retest_table(found))
        for line in retest_lines(found):
            console.print(line, highlight=False, soft_wrap=True)
