"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AcceptChanges", "ConfigFile", "Debug", "RunDir"]

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The search's TOML file.")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The run directory of a search.")]
AcceptChanges = Annotated[
    bool,
    typer.Option("--accept-changes", help="Continue although the code of the models changed."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show an error's whole traceback.")]
