"""The question that a command asks before it deletes a run directory."""

import sys
from pathlib import Path

import typer

from tfcourse.console import printable
from tfcourse.errors import InputError
from tfcourse.terminal import FAILED, errors

__all__ = ["ask_to_delete"]


def ask_to_delete(directory: Path) -> None:
    """Ask on the terminal; without one, raise InputError that names ``--yes``."""
    try:
        agreed = typer.confirm(f"Delete {printable(str(directory))} and start over?", err=True)
    except typer.Abort:  # Ctrl-C, or there is nothing to read
        if sys.stdin is None or not sys.stdin.isatty():
            errors.print()  # ends the question's line
            raise InputError(
                f"--fresh deletes {directory}, and there is no terminal on which to ask for it. "
                "Add --yes. Nothing was deleted."
            ) from None
        raise KeyboardInterrupt from None
    if not agreed:
        errors.print("Nothing was deleted.")
        raise typer.Exit(FAILED)
