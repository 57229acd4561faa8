"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "AcceptChanges",
    "ConfigFile",
    "Debug",
    "Quiet",
    "RunDir",
    "TensorBoard",
    "json_option",
]

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The search's TOML file.")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The run directory of a search.")]
AcceptChanges = Annotated[
    bool,
    typer.Option("--accept-changes", help="Continue although the code of the models changed."),
]
TensorBoard = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A folder of event files for TensorBoard.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show an error's whole traceback.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the result and errors alone: no progress.")
]


def json_option(*keys: str) -> Any:
    """Return the option ``--json`` of a command, whose help lists the keys of its object."""
    return typer.Option("--json", help=f"Print one JSON object instead: {', '.join(keys)}.")
