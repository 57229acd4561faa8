"""The command that writes a search in the formats of other tools."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.options import Debug, Quiet, RunDir, TensorBoard, json_option
from tfcourse.cli.output import print_json
from tfcourse.errors import InputError
from tfcourse.notices import working
from tfcourse.terminal import console, import_tensorflow, reporting

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
    tensorboard: TensorBoard = None,
    keras_tuner: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A project that stock keras-tuner reloads."),
    ] = None,
    as_json: Annotated[bool, json_option("directory", "exports")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a search's trials in the formats of other tools.

    They are Optuna's, TensorBoard's and keras-tuner's, and a CSV file. All targets are checked
    before the first is written.
    """
    with reporting(debug, quiet, as_json):
        if (optuna, csv, tensorboard, keras_tuner) == (None,) * 4:
            raise InputError(
                "Say what to write: --optuna sqlite:///study.db, --csv trials.csv, "
                "--tensorboard DIR, --keras-tuner DIR."
            )
        from tfcourse.report.exports.targets import exporters

        targets = exporters(run_dir, csv, tensorboard, keras_tuner, optuna)
        if keras_tuner is not None:
            import_tensorflow(quiet)
        exports = []
        for target in targets:
            with working("Writing the trials", disable=quiet):
                exports.append(target.write())
            for line in exports[-1].lines if not as_json else ():
                console.print(line, highlight=False, soft_wrap=True)
        if as_json:
            entries = [asdict(entry) for entry in exports]
            print_json({"directory": str(run_dir), "exports": entries})
