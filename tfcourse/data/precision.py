"""Values that a coarser number type would round until they are the same."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError
from tfcourse.types import Array

__all__ = [
    "check_whole_numbers",
    "coarse_columns",
    "column_title",
    "describe_merging",
    "is_constant",
]

# Float32 is enough for a column while it rounds by less than this share of the column's range.
SHARE = 1e-5
# Computing one number in several ways gives values in a range of this many units in the last place.
NOISE = 64


def coarse_columns(x: Array) -> list[int]:
    """Return the columns, entries of the last axis, that float32 rounds by 1e-5 of their range.

    Unix seconds within an hour are such a column: float32 has one value for every 128 of them.
    """
    if np.can_cast(x.dtype, np.float32):
        return []
    rows = x.reshape(-1, x.shape[-1])
    low, high = (edge.astype(np.float64) for edge in (rows.min(axis=0), rows.max(axis=0)))
    with np.errstate(under="ignore"):
        rounding = np.abs(rows - rows.astype(np.float32).astype(np.float64)).max(axis=0)
    coarse = (rounding > SHARE * (high - low)) & ~is_constant(low, high)
    return [int(column) for column in np.flatnonzero(coarse)]


def is_constant(low: Array, high: Array) -> npt.NDArray[np.bool_]:
    """Return whether each column, of these minima and maxima, is one number up to rounding."""
    if low.dtype != np.float64:
        return np.asarray(low == high)
    size = np.maximum(np.abs(low), np.abs(high))
    return np.asarray(high - low <= NOISE * np.finfo(np.float64).eps * size)


def describe_merging(column: Array) -> str:
    """Describe how many of a column's distinct values are distinct in float32."""
    before, after = (len(np.unique(values)) for values in (column, column.astype(np.float32)))
    return f"float32 keeps {after} of its {before} values apart"


def check_whole_numbers(columns: Iterable[Array], origin: str, names: Sequence[str]) -> None:
    """Raise InputError if whole numbers of a column are so large that float64 merges some.

    Args:
        columns: Whole numbers, as integers of any size.
        origin: The source of the data, for the message.
        names: The columns' titles.

    Raises:
        InputError: Distinct numbers of a column are the same in float64.
    """
    for name, column in zip(names, columns, strict=True):
        if not len(column) or max(-int(column.min()), int(column.max())) <= 2**53:
            continue  # float64 has them all
        before, after = (len(np.unique(v)) for v in (column, column.astype(np.float64)))
        if after < before:
            raise InputError(
                f"{origin}: {name} holds whole numbers above 2**53, of which float64 keeps {after} "
                f"of {before} apart. Subtract a constant from it, such as its smallest value, or "
                "drop it."
            )


def column_title(number: int, names: Sequence[str] | None) -> str:
    """Return the title of a column of x in messages: its name, or its number."""
    return f"column {number} of x" if names is None else f'the column "{names[number]}"'
