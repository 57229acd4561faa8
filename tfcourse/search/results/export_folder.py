"""The check that a folder may be written by the export of a search."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError, error_line, shown
from tfcourse.files import write_atomically
from tfcourse.search.store.reading import read_json

__all__ = ["check_folder", "sign_folder"]

OWNER = "tfcourse.json"


def check_folder(path: Path, run: Path, search: str | None, option: str) -> Mapping[str, Any]:
    """Return what `sign_folder` wrote in the folder; nothing if it is empty or does not exist.

    Args:
        path: The folder.
        run: The run directory of the search.
        search: The search's identity, see `tfcourse.search.store.identity.identity`; None if it
            is not known.
        option: The name of the setting, for the message.

    Raises:
        InputError: The folder can't be made, or has something else in it.
    """
    advice = "Choose another folder."
    try:
        run, real = run.resolve(), path.resolve()
        if real == run or run in real.parents:
            raise InputError(f"{option}: {path} is in the run directory {run}. {advice}")
        first = next(folder for folder in (real, *real.parents) if folder.exists())
        if not first.is_dir():
            raise InputError(f"{option}: {first} is not a folder. {advice}")
        if not real.exists() or not any(real.iterdir()):
            return {}
        owner = read_json(real / OWNER)
    except (OSError, RuntimeError, ValueError) as error:  # a NUL, a loop of links
        raise InputError(
            f"{option}: {shown(str(path))} can't be used ({error_line(error)}). {advice}"
        ) from None
    if not isinstance(owner, dict) or "directory" not in owner:
        raise InputError(
            f"{option}: {path} has files that no export of a search wrote. Empty it, or choose "
            "another folder."
        )
    is_same = search is not None and owner.get("search") == search
    if not is_same and owner["directory"] != str(run):
        raise InputError(f"{option}: {path} has the trials of {owner['directory']}. {advice}")
    return owner


def sign_folder(path: Path, run: Path, search: str | None, **entries: str) -> None:
    """Write into a folder whose search it shows.

    Args:
        path: The folder.
        run: As for `check_folder`.
        search: As for `check_folder`.
        entries: Further entries.
    """
    owner = {"directory": str(run.resolve()), "search": search, **entries}
    write_atomically(path / OWNER, json.dumps(owner, indent=2) + "\n", durable=False)
