"""The command that shows the state of the installation."""

from typing import Annotated

import typer

from tfcourse.cli.options import Debug, Quiet, json_option
from tfcourse.cli.output import print_json
from tfcourse.terminal import FAILED, console, reporting

__all__ = ["doctor"]

KEYS = (
    *("tfcourse", "python", "system", "cores", "tensorflow", "gpus", "packages", "extras"),
    *("environment", "unsupported", "problems"),
)


def doctor(
    as_json: Annotated[bool, json_option(*KEYS)] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show versions, devices and what is missing.

    Paste it into a report of an error. It ends with 1 if there is a problem.
    """
    with reporting(debug, quiet, as_json):
        from tfcourse.doctor.checkup import examine

        checkup = examine()
        if as_json:
            print_json(checkup.as_json())
        for line in () if as_json else checkup.lines():
            console.print(line, highlight=False, soft_wrap=True)
        if checkup.problems:
            raise typer.Exit(FAILED)
