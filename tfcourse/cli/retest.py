"""The command that runs old trials again."""

from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.options import Debug
from tfcourse.console import one_line
from tfcourse.terminal import console, import_tensorflow, reporting, told_if_interrupted

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
        from tfcourse.search.display import retest_table
        from tfcourse.search.retest import retest as run_again

        with told_if_interrupted("Nothing was written."):
            found = run_again(run_dir, top, seed)
        console.print(retest_table(found))
        if found.same_data is not None:
            kept = "the same as" if found.same_data else "another than"
            console.print(f"The data is {kept} when the search began.")
        for trial in found.failed:
            said = f"Trial {trial.trial} failed: {one_line(trial.message)}"
            console.print(said, highlight=False, soft_wrap=True)
        if found.swapped == 0:
            which = "order of the others" if found.failed else "order"
            console.print(f"The {which} holds.")
        else:
            best = "still is" if found.best_holds else "no longer is"
            console.print(
                f"The order does not hold: {found.swapped} of {found.pairs} pairs of trials are "
                f"the other way round. Trial {found.trials[0].trial} {best} the best."
            )
        console.print(f"{'retest':<12}{found.file}", highlight=False, soft_wrap=True)
