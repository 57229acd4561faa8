"""The depth of tables and lists within each other, as TOML and JSON may have them."""

from collections.abc import Iterable

__all__ = ["MOST_LEVELS", "is_nested_deeply"]

# No file that tfcourse writes or documents has more than a few.
MOST_LEVELS = 50


def is_nested_deeply(value: object) -> bool:
    """Return True if tables and lists are within each other at more than `MOST_LEVELS` levels.

    Functions that call themselves for each level could not go through them.
    """
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [inner for outer in level for inner in _inside(outer)]
    return any(isinstance(each, dict | list) for each in level)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
