"""The command that writes a search in the formats of other tools."""

from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.options import Debug, RunDir
from tfcourse.errors import InputError
from tfcourse.terminal import console, errors, reporting

__all__ = ["export"]


def export(
    run_dir: RunDir,
    optuna: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A database for a study, such as sqlite:///study.db."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV file, a row for each trial.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Write a search's trials as an Optuna study or a CSV file."""
    with reporting(debug):
        if optuna is None and csv is None:
            raise InputError("Say what to write: --optuna sqlite:///study.db, --csv trials.csv.")
        from tfcourse.report.export import export_csv, export_optuna

        if csv is not None:
            export_csv(run_dir, csv)
            console.print(f"{'csv':<12}{csv}", highlight=False, soft_wrap=True)
        if optuna is not None:
            with errors.status("Writing the study"):
                name = export_optuna(run_dir, optuna)
            console.print(f"{'optuna':<12}{name} in {optuna}", highlight=False, soft_wrap=True)
