"""The sets of examples by the numbers of their rows."""

from collections.abc import Mapping
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError

__all__ = ["row_sets"]

Rows = npt.NDArray[np.intp]


def row_sets(rows: Mapping[str, object], count: int, key: str) -> tuple[Rows, tuple[int, ...]]:
    """Return the rows of all sets, one set after the other, and where each but the first begins.

    Args:
        rows: The numbers of each set's rows, or a mask, by a title for messages. Rows may be in no
            set.
        count: The number of examples.
        key: The setting, for messages.

    Raises:
        InputError: A row is in two sets or out of range, or a set has none.
    """
    sets = [_row_numbers(title, each, count) for title, each in rows.items()]
    order = np.concatenate(sets)
    numbers, times = np.unique(order, return_counts=True)
    if (times > 1).any():
        raise InputError(
            f"{key}: each row must be in one set, once. Received more than once: row "
            f"{numbers[times > 1][0]}, and {int((times > 1).sum())} such rows in all."
        )
    return order, tuple(accumulate(map(len, sets)))[:-1]


def _row_numbers(title: str, rows: object, count: int) -> Rows:
    array = np.asarray(rows)
    if array.dtype == bool and array.shape == (count,):
        array = np.flatnonzero(array)
    if array.ndim != 1 or array.dtype.kind not in "iu" or not len(array):
        raise InputError(
            f"{title} must be at least one whole number, or a mask of the {count} examples. "
            f"Received: shape {array.shape} of {array.dtype}."
        )
    outside = array[(array < 0) | (array >= count)]
    if len(outside):
        raise InputError(f"{title} must be 0 to {count - 1}. Received: {outside[0]}.")
    return array.astype(np.intp)
