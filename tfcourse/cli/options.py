"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AcceptChanges", "ConfigFile", "Debug"]

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The search's TOML file.")]
AcceptChanges = Annotated[
    bool,
    typer.Option("--accept-changes", help="Continue although the code of the models changed."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show an error's whole traceback.")]
