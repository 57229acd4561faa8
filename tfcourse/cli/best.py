"""The command that shows the best trial of a search as a program, and exports its model."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tfcourse.cli.options import Debug, Quiet, RunDir, json_option
from tfcourse.cli.output import print_json
from tfcourse.errors import encodable
from tfcourse.notices import working
from tfcourse.terminal import console, import_tensorflow, reporting

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
        bool,
        json_option(
            *("directory", "trial", "is_best", "finished", "status", "message", "values"),
            *("objective", "direction", "score", "score_std", "best_epoch", "test", "model"),
            *("training", "loading", "problems", "exports"),
        ),
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Print the best trial as a program, or export its model.

    The program trains it again with the same seed, and loads its model.

    With exports, write the model in other formats instead, and print the largest difference of
    their predictions from the trained model's.
    """
    with reporting(debug, quiet, as_json):
        from tfcourse.search.best.targets import check_targets
        from tfcourse.search.best.trial import read_trial

        paths = {"saved-model": saved_model, "tflite": tflite, "onnx": onnx, "fold": fold}
        targets = check_targets(paths, run_dir, force)
        view, exports = read_trial(run_dir, trial), []
        if targets:
            import_tensorflow(quiet)
            from tfcourse.search.best.exports import export_model

            with working("Exporting the model", disable=quiet):
                exports = export_model(view, targets)
        if as_json:
            print_json({**view.as_json(), "exports": [asdict(export) for export in exports]})
        elif not targets:
            sys.stdout.write(encodable(view.text()))
        for line in (line for export in exports for line in export.lines if not as_json):
            console.print(line, highlight=False, soft_wrap=True)
