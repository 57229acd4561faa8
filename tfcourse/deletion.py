"""Folders that are deleted as a whole, also where the process is killed meanwhile."""

import glob
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

__all__ = ["delete_folder", "real_path", "remove_deleted"]


def real_path(folder: Path) -> Path:
    """Return the folder itself, if ``folder`` is a symbolic link to it."""
    return Path(os.path.realpath(folder))


def delete_folder(folder: Path) -> None:
    """Delete a folder, if it exists; a symbolic link to it stays.

    It is renamed first, so that a killed process leaves no part of it under its name.
    """
    real = real_path(folder)
    with suppress(FileNotFoundError):
        real.rename(real.with_name(f".{real.name}-deleted-{secrets.token_hex(4)}"))
    remove_deleted(folder)


def remove_deleted(folder: Path) -> None:
    """Remove what killed processes left of `delete_folder`."""
    real = real_path(folder)
    for remains in real.parent.glob(f".{glob.escape(real.name)}-deleted-{'[0-9a-f]' * 8}"):
        shutil.rmtree(remains, ignore_errors=True)
