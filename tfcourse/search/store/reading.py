"""Reading the files of a record; a damaged file counts as a missing one."""

import errno
import json
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["read_json", "read_text", "read_toml"]

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


def read_text(path: Path) -> str | None:
    """Return the text of a file; None if there is no file, or if it is not text.

    Raises:
        OSError: The file exists and can't be read, so that it may be intact.
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
    """Return the value in a JSON file; None as `read_text`, or if it is not JSON."""
    text = read_text(path)
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):  # a number with too many digits, endless brackets
        return None


def read_toml(path: Path) -> dict[str, Any] | None:
    """Return the tables of a TOML file; None as `read_text`, or if it is not TOML."""
    text = read_text(path)
    try:
        return None if text is None else tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
