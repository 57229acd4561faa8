"""Arrays in memory as the arguments of `tfcourse.Search` split them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfcourse.data.arrays import ArrayData, Pair, array_data
from tfcourse.data.nested import Arrays, count_of, map_arrays
from tfcourse.data.splitting.array_columns import COLUMN_KEYS
from tfcourse.data.splitting.assignment import SET_NAMES
from tfcourse.data.splitting.row_sets import row_sets
from tfcourse.errors import InputError
from tfcourse.types import Array

__all__ = ["split_arguments"]


def split_arguments(
    pairs: Mapping[str, Pair], settings: Mapping[str, Any]
) -> tuple[ArrayData | None, dict[str, Any]]:
    """Return the examples of a search, and its settings without arrays among them.

    Args:
        pairs: The arguments ``data``, ``train``, ``dev`` and ``test``.
        settings: The others. ``group``, ``order_by`` and ``split_by`` are a column's name or its
            values, and ``split`` shares or the rows of each set.

    Returns:
        The examples, None without any, and settings that a TOML file can hold.

    Raises:
        InputError: They are not usable.
    """
    settings = dict(settings)
    of_rows = {key: settings[key] for key in COLUMN_KEYS if settings.get(key) is not None}
    columns = {key: value for key, value in of_rows.items() if isinstance(value, str)}
    values = {key: np.asarray(v) for key, v in of_rows.items() if key not in columns}
    settings |= {key: key for key in values}
    has_pairs = any(pair is not None for pair in pairs.values())
    data = array_data(**pairs, columns=columns if has_pairs else {})
    data = _with_columns(data, values)
    split = settings.get("split")
    if isinstance(split, list | tuple) and any(np.ndim(each) for each in split):
        data = _at_rows(data, settings.pop("split"))
    return data, settings


def _with_columns(data: ArrayData | None, columns: Mapping[str, Array]) -> ArrayData | None:
    """Return the examples with columns that were given as arrays, by setting.

    Raises:
        InputError: There are no examples to split, or not one value for each.
    """
    if not columns:
        return data
    key = next(iter(columns))
    if data is None or data.starts is not None:
        raise InputError(f"{key} as an array is for data=(x, y), whose examples it splits.")
    count = count_of(data.y)
    for key, values in columns.items():
        if values.shape != (count,):
            raise InputError(
                f"{key} must be one value for each of the {count} examples. Received: shape "
                f"{values.shape}."
            )
    return replace(data, apart={**data.apart, **columns})


def _at_rows(data: ArrayData | None, rows: Sequence[Any]) -> ArrayData:
    """Return the examples of train, dev and, if any, test, whose rows are given.

    Args:
        data: The examples.
        rows: The numbers of each set's rows, or a mask. Rows may be in no set.

    Raises:
        InputError: There are no examples to split, or a row is in two sets or out of range.
    """
    if data is None or data.starts is not None:
        raise InputError("split as rows is for data=(x, y), whose examples it splits.")
    if not 2 <= len(rows) <= 3:
        raise InputError(
            "split must be shares, or the rows of train and dev, or of train, dev and test. "
            f"Received: {len(rows)} arrays."
        )
    titled = {f"split: the rows of {n}": each for n, each in zip(SET_NAMES, rows, strict=False)}
    order, starts = row_sets(titled, count_of(data.y), "split")

    def select(arrays: Arrays) -> Arrays:
        return map_arrays(lambda array: array[order], arrays)

    return replace(
        data,
        x=select(data.x),
        y=select(data.y),
        weight=None if data.weight is None else select(data.weight),
        starts=starts,
        apart={name: values[order] for name, values in data.apart.items()},
    )
