"""Columns by which examples are split, as numbers: groups, times, and names of sets."""

import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError, shown
from tfcourse.types import Array

__all__ = ["SETS", "group_numbers", "set_numbers", "time_numbers"]

Numbers = npt.NDArray[np.int64]
# The numbers of the sets by the names that columns and folders have for them.
SETS = {"train": 0, "dev": 1, "val": 1, "valid": 1, "validation": 1, "test": 2}


def group_numbers(values: Array, title: str) -> Numbers:
    """Return the groups of the rows as numbers 0 … G-1.

    Args:
        values: The name or number of the group of each row.
        title: Names the column in messages.

    Raises:
        InputError: A row has none.
    """
    return _places(_complete(values, title))


def time_numbers(values: Array, title: str) -> Numbers:
    """Return the place 0 … T-1 of each row's time among the times that differ.

    Args:
        values: Numbers, dates of NumPy or pandas, or texts of one of both; dates as in ISO 8601.
        title: Names the column in messages.

    Raises:
        InputError: A row has no time, or they are something else.
    """
    values = _complete(values, title)
    if values.dtype.kind not in "biufM":
        values = _parsed(values, title)
    return _places(values)


def set_numbers(values: Array, title: str) -> Numbers:
    """Return the set of each row: 0 for train, 1 for dev, 2 for test.

    Raises:
        InputError: A value is no name of a set, or no row is in train or in dev.
    """
    names, which = np.unique(_complete(values, title).astype(str), return_inverse=True)
    strange = [str(name) for name in names if name not in SETS]
    if strange:
        raise InputError(
            f'{title} must hold "train", "dev" (or "val", "valid", "validation") and, for a test '
            f'set, "test". Received: {shown(strange[0])}.'
        )
    numbers: Numbers = np.array([SETS[name] for name in names])[which]
    for number, name in enumerate(("train", "dev")):
        if number not in numbers:
            raise InputError(
                f'{title} must hold "train" and "dev". Received no "{name}": '
                f"{', '.join(map(shown, names.tolist()))}."
            )
    return numbers


def _complete(values: Array, title: str) -> Array:
    """Return the values; raise InputError if a row has none."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise InputError(
            f"{title} must be one value for each example. Received: shape {array.shape}."
        )
    if array.dtype == object:
        missing = np.array([value is None or value == "" or value != value for value in array])
    elif array.dtype.kind in "US":
        missing = array == array.dtype.type()
    else:
        missing = array != array  # NaN and NaT
    if missing.any():
        rows = np.flatnonzero(missing)
        raise InputError(
            f"{title} has no value in {len(rows)} of {len(array)} rows, the first is row "
            f"{rows[0]}. Fill it, or leave these rows out."
        )
    return array.astype(str) if array.dtype == object else array


def _parsed(texts: Array, title: str) -> Array:
    for kind in (np.float64, "datetime64[ns]"):
        try:
            parsed: Array = texts.astype(kind)
            return parsed
        except ValueError:
            continue
    raise InputError(
        f"{title} must hold numbers, or dates and times as in ISO 8601 such as 2024-01-31 or "
        f"2024-01-31T18:30. Received: {shown(str(texts[0]))}."
    )


def _places(values: Array) -> Numbers:
    _, places = np.unique(values, return_inverse=True)
    return places.astype(np.int64)
