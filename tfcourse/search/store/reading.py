"""Reading and writing the files of a record; a damaged file counts as a missing one."""

import errno
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from tfcourse.files import check_is_file, write_atomically
from tfcourse.nesting import is_nested_deeply

__all__ = [
    "class_names",
    "column_names",
    "names_in",
    "read_json",
    "read_json_as",
    "read_text",
    "read_toml",
    "write_json",
]

T = TypeVar("T")

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}


def read_text(path: Path) -> str | None:
    """Return the text of a file; None if there is no file, or if it is not text.

    A folder or a named pipe in its place is no file.

    Raises:
        OSError: The file exists and can't be read, so that it may be intact.
    """
    try:
        check_is_file(path)
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, in any order; none if there is no folder.

    Raises:
        OSError: It exists and can't be read; ``Path.glob`` would find nothing.
    """
    try:
        return [path.name for path in folder.iterdir()]
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise


def read_json(path: Path) -> Any:
    """Return the value in a JSON file; None as `read_text`, or if it is not JSON."""
    return _parsed(json.loads, read_text(path))


def _parsed(parse: Callable[[str], Any], text: str | None) -> Any:
    """Return the value in a text; None without a text, or if no tool can have written it."""
    try:
        value = None if text is None else parse(text)
    except (ValueError, RecursionError):  # a number with too many digits, endless brackets
        return None
    return None if is_nested_deeply(value) else value


def read_json_as(path: Path, kind: type[T]) -> T | None:
    """Return the value in a JSON file; None as `read_json`, or if it is of another type."""
    try:
        return TypeAdapter(kind).validate_python(read_json(path))
    except ValidationError:
        return None


def class_names(directory: Path) -> tuple[str | int, ...] | None:
    """Return the names of the classes in ``data.json`` of a run directory; None if there are none.

    They are in the order of the classes' numbers.
    """
    return _names_in(directory, "classes")


def column_names(directory: Path) -> tuple[str, ...] | None:
    """Return the columns of x in ``data.json`` of a run directory; None if they have no names."""
    names = _names_in(directory, "features")
    return None if names is None else tuple(map(str, names))


def _names_in(directory: Path, key: str) -> tuple[str | int, ...] | None:
    record = read_json(directory / "data.json")
    names = record.get(key) if isinstance(record, dict) else None
    return tuple(names) if isinstance(names, list) else None


def write_json(path: Path, value: object, durable: bool = True) -> None:
    """Write a value as a JSON file, as `tfcourse.files.write_atomically` does."""
    write_atomically(path, json.dumps(value, indent=2) + "\n", durable)


def read_toml(path: Path) -> dict[str, Any] | None:
    """Return the tables of a TOML file; None as `read_text`, or if it is not TOML."""
    tables: dict[str, Any] | None = _parsed(tomllib.loads, read_text(path))
    return tables
