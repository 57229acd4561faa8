"""The command that shows the best trial of a search as a program, and exports its model."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.options import Debug, RunDir
from tfcourse.cli.output import print_json
from tfcourse.errors import encodable
from tfcourse.terminal import console, errors, import_tensorflow, reporting

__all__ = ["best"]


def best(
    run_dir: RunDir,
    trial: Annotated[
        int | None, typer.Option(min=0, help="Another trial than the best one.", metavar="N")
    ] = None,
    saved_model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Export the model as a SavedModel.")
    ] = None,
    tflite: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Export it for TensorFlow Lite (LiteRT).")
    ] = None,
    onnx: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Export it as ONNX; needs .[onnx].")
    ] = None,
    fold: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save it as .keras with batch norm folded."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace exports that exist.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the trial, and the exports, as JSON.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Print the best trial as a program, or export its model.

    The program trains it again with the same seed, and loads its model.

    With exports, write the model in other formats instead, and print the largest difference of
    their predictions from the trained model's.
    """
    with reporting(debug):
        from tfcourse.search.best.targets import check_targets
        from tfcourse.search.best.trial import read_trial

        paths = {"saved-model": saved_model, "tflite": tflite, "onnx": onnx, "fold": fold}
        targets = check_targets(paths, run_dir, force)
        view, exports = read_trial(run_dir, trial), []
        if targets:
            import_tensorflow()
            from tfcourse.search.best.exports import export_model

            with errors.status("Exporting the model"):
                exports = export_model(view, targets)
        if as_json:
            print_json({**view.as_json(), "exports": [asdict(export) for export in exports]})
        elif not targets:
            sys.stdout.write(encodable(view.text()))
        for line in (line for export in exports for line in export.lines if not as_json):
            console.print(line, highlight=False, soft_wrap=True)
