"""The command that runs old trials again."""

from typing import Annotated

import typer

from tfcourse.cli.options import Debug, RunDir
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
    debug: Debug = False,
) -> None:
    """Run the best trials again on the current data and code. Compare their scores."""
    with reporting(debug):
        import_tensorflow()
        from tfcourse.search.retest import retest as run_again

        run_again(run_dir, top, seed, seeds).print_on(console)
