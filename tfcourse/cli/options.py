"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["ConfigFile", "Debug"]

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The search's TOML file.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show an error's whole traceback.")]
