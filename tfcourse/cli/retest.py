"""The command that runs old trials again."""

from typing import Annotated

import typer

from tfcourse.cli.options import Debug, Quiet, RunDir, json_option
from tfcourse.cli.output import print_json
from tfcourse.terminal import console, import_tensorflow, reporting

__all__ = ["retest"]


def retest(
    run_dir: RunDir,
    top: Annotated[int, typer.Option(help="The number of trials, from the best.")] = 5,
    seed: Annotated[
        int | None, typer.Option(help="Another seed than the search's, for all of them.")
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(help="The number of trainings of each trial, from other seeds."),
    ] = 1,
    as_json: Annotated[
        bool,
        json_option(
            *("objective", "same_data", "holds", "best_holds", "scores_hold", "swapped", "pairs"),
            *("trials", "file"),
        ),
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run the best trials again on the current data and code. Compare their scores."""
    with reporting(debug, quiet, as_json):
        import_tensorflow(quiet)
        from tfcourse.search.retest import retest as run_again

        retested = run_again(run_dir, top, seed, seeds, verbose=not quiet)
        if as_json:
            print_json(retested.as_json())
        else:
            retested.print_on(console)
