"""The tables of a TOML file."""

import tomllib
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError
from tfcourse.nesting import MOST_LEVELS, is_nested_deeply

__all__ = ["read_tables"]


def read_tables(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; raise InputError if it can't be read, or is no TOML."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}.") from None
    except RecursionError:
        tables = None
    if tables is None or is_nested_deeply(tables):
        raise InputError(
            f"{path} has tables or lists within each other at more than {MOST_LEVELS} levels."
        )
    return tables
