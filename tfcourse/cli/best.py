"""The command that shows the best trial of a search as a program, and exports its model."""

import json
import sys
from typing import Annotated

import typer

from tfcourse.cli.options import Debug, RunDir
from tfcourse.errors import encodable
from tfcourse.terminal import reporting

__all__ = ["best"]


def best(
    run_dir: RunDir,
    trial: Annotated[
        int | None, typer.Option(min=0, help="Another trial than the best one.", metavar="N")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the trial as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Print the best trial as a program that trains and loads its model."""
    with reporting(debug):
        from tfcourse.search.best.trial import read_trial

        view = read_trial(run_dir, trial)
        if as_json:
            text = json.dumps(view.as_json(), indent=2, ensure_ascii=False) + "\n"
        else:
            text = view.text()
        sys.stdout.write(encodable(text))
