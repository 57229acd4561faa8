"""Files of a record as they are read: one that is damaged counts as one that is not there."""

import errno
import json
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["read_json", "read_text", "read_toml"]

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


def read_text(path: Path) -> str | None:
    """Return the text of a file; None if there is none, or no text is in it.

    Raises:
        OSError: It is there, and may not or can't be read: what is in it may be intact.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def read_json(path: Path) -> Any:
    """Return what a JSON file holds; None as `read_text`, or if it is no JSON."""
    text = read_text(path)
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):  # a number of too many digits, brackets without an end
        return None


def read_toml(path: Path) -> dict[str, Any] | None:
    """Return the tables of a TOML file; None as `read_text`, or if it is no TOML."""
    text = read_text(path)
    try:
        return None if text is None else tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
