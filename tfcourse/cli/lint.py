"""The command that points out likely mistakes in a saved model."""

import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.options import Debug, Quiet, json_option
from tfcourse.cli.output import print_json
from tfcourse.errors import InputError, message_line
from tfcourse.notices import working
from tfcourse.terminal import FAILED, console, import_tensorflow, reporting

__all__ = ["lint"]


def lint(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A model saved as .keras.")],
    steps: Annotated[
        int | None, typer.Option(min=1, help="How many training steps are planned.")
    ] = None,
    as_json: Annotated[bool, json_option("file", "findings (rule, layer, message, fix)")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Point out likely mistakes in a saved model. Exit with 1 if there are any.

    With --quiet, print nothing if there are none.
    """
    with reporting(debug, quiet, as_json):
        if not file.is_file():
            raise InputError(f"FILE must be a model saved as .keras. No such file: {file}.")
        import_tensorflow(quiet)
        from tfcourse.models.lint import lint as find
        from tfcourse.models.saving import load_model

        try:
            with working(f"Loading {file}", disable=quiet):
                model = load_model(file)
        except (OSError, TypeError, ValueError) as error:
            reason = message_line(error)
            remedy = "FILE must be a model saved as .keras"
            if zipfile.is_zipfile(file):
                remedy = "A model with classes of your own: call tfcourse.lint(model) in Python"
            raise InputError(f"{file} could not be loaded: {reason} {remedy}.") from error
        findings = find(model, steps=steps)
        if as_json:
            print_json({"file": file, "findings": [asdict(finding) for finding in findings]})
        for finding in findings if not as_json else ():
            console.print(str(finding), highlight=False, soft_wrap=True)
        if findings:
            raise typer.Exit(FAILED)
        if not (as_json or quiet):
            console.print(f"No findings in {file}.", highlight=False, soft_wrap=True)
