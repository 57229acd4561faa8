"""The limits of texts and numbers in a config: what a TOML file can hold, and be computed with."""

from collections.abc import Iterator, Mapping
from typing import Any

from tfcourse.errors import encodable, shortened, shown

__all__ = ["LARGEST", "LONGEST_NAME", "error_lines", "unwritable"]

# The largest values that can be computed with: TensorFlow's sizes have 32 bits.
_SIZES = ("batch_size", "units", "filters", "kernel_size", "pool_size")
LARGEST = {**dict.fromkeys(_SIZES, 2**31 - 1), "layers": 10_000, "blocks": 10_000}
# A file name has at most 255 bytes; a deleted run directory is ".NAME-deleted-01234567".
LONGEST_NAME = 255 - len(".-deleted-01234567")
# TOML's whole numbers. Seeds are hashed, and may be larger.
LEAST, MOST, SEED = -(2**63), 2**63 - 1, "seed"

# The most lines, and characters of a line, in the errors of a file.
MOST_LINES, LONGEST_LINE = 20, 2000


def unwritable(tables: Mapping[str, Any]) -> list[str]:
    """Return a line for each text or whole number in the tables that can't be in a TOML file."""
    places = [(f"[{encodable(str(name))}]", table) for name, table in tables.items()]
    return [line for place, table in places for line in _lines(place, table)]


def _lines(where: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _lines(f"{where} key", key)
            if key != SEED or not isinstance(inner, int):
                yield from _lines(f"{where} {encodable(str(key))}", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _lines(where, inner)
    elif isinstance(value, str) and encodable(value) != value:
        yield f"{where} must be text that UTF-8 can encode. Received: {shown(value)}."
    elif isinstance(value, int) and not LEAST <= value <= MOST:
        yield f"{where} must be a number of at most 64 bits. Received: {shown(value)}."


def error_lines(origin: str, errors: list[str]) -> str:
    """Return the errors, a line each, or the first ones if there are very many."""
    lines = [f"{origin}: {shortened(error, LONGEST_LINE)}" for error in errors[:MOST_LINES]]
    omitted = len(errors) - len(lines)
    return "\n".join([*lines, *([f"{origin}: and {omitted} more errors."] if omitted else [])])
