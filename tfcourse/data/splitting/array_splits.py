"""Arrays in memory as the arguments of `tfcourse.Search` split them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfcourse.data.arrays import ArrayData, Pair, array_data, sets_of
from tfcourse.data.frames import as_array
from tfcourse.data.splitting.array_columns import COLUMN_KEYS
from tfcourse.data.splitting.assignment import SET_NAMES
from tfcourse.data.splitting.row_sets import row_sets
from tfcourse.data.tables.frames import holds_numbers, is_frame, is_pandas
from tfcourse.data.tables.table_data import TableData, free_name
from tfcourse.errors import InputError
from tfcourse.types import Array, TensorLike

__all__ = ["split_arguments"]

# The settings that make a table of a ``DataFrame`` of numbers alone too.
TABLE_KEYS = ("features", "drop", "missing", "max_one_hot", "columns", "label", "sample_weight")


def split_arguments(
    pairs: Mapping[str, Pair], settings: Mapping[str, Any]
) -> tuple[ArrayData | TableData | None, dict[str, Any]]:
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
    sets = sets_of(**pairs)
    settings = dict(settings)
    of_rows = {key: settings[key] for key in COLUMN_KEYS if settings.get(key) is not None}
    columns = {key: value for key, value in of_rows.items() if isinstance(value, str)}
    values = {key: np.asarray(v) for key, v in of_rows.items() if key not in columns}
    data: ArrayData | TableData | None = None
    if _needs_columns(sets, settings, columns):
        from tfcourse.data.tables.table_sets import table_data

        data, names = table_data(sets, settings)
        settings |= names
    elif sets:
        data = array_data(sets, columns)
    names = {key: _free(key, data) for key in values}
    settings |= names
    data = _with_columns(data, {names[key]: array for key, array in values.items()}, [*values])
    split = settings.get("split")
    if isinstance(split, list | tuple) and any(np.ndim(each) for each in split):
        data = _at_rows(data, settings.pop("split"))
    return data, settings


def _needs_columns(
    sets: Mapping[str, Pair], settings: Mapping[str, object], columns: Mapping[str, str]
) -> bool:
    """Return True if sets are tables that are not numbers alone, as arrays are.

    Args:
        sets: The arguments by name.
        settings: The settings; one for tables makes of numbers a table too.
        columns: The columns that are no features, by the setting that names each.
    """
    frames = [pair for pair in sets.values() if is_frame(pair)]
    pairs = [pair for pair in sets.values() if _is_pair_of_frame(pair)]
    if frames or not pairs:
        return bool(frames)
    if any(settings.get(key) is not None for key in TABLE_KEYS):
        return True
    if columns and not all(is_pandas(x) for x, *_ in pairs):
        return True
    rest = [
        x.drop(columns=[*columns.values()], errors="ignore") if columns else x for x, *_ in pairs
    ]
    if not all(map(holds_numbers, rest)):
        return True
    return any(not isinstance(y, Mapping) and _is_text(y) for _, y, *_ in pairs)


def _is_pair_of_frame(pair: Pair) -> bool:
    return isinstance(pair, tuple | list) and len(pair) in (2, 3) and is_frame(pair[0])


def _is_text(y: TensorLike) -> bool:
    try:
        return as_array(y, "y").dtype.kind not in "biuf"
    except InputError:
        return True


def _free(key: str, data: ArrayData | TableData | None) -> str:
    """Return the name of a column for an array; that of the setting if it is free."""
    return free_name(key, [*data.columns]) if isinstance(data, TableData) else key


def _with_columns(
    data: ArrayData | TableData | None, columns: Mapping[str, Array], keys: Sequence[str]
) -> ArrayData | TableData | None:
    """Return the examples with columns that were given as arrays.

    Args:
        data: The examples.
        columns: The arrays by the names of their columns.
        keys: The settings that they are of.

    Raises:
        InputError: There are no examples to split, or not one value for each.
    """
    if not columns:
        return data
    if data is None or data.starts is not None:
        raise InputError(f"{keys[0]} as an array is for data=(x, y), whose examples it splits.")
    for key, values in zip(keys, columns.values(), strict=True):
        if values.shape != (data.count,):
            raise InputError(
                f"{key} must be one value for each of the {data.count} examples. Received: shape "
                f"{values.shape}."
            )
    return data.with_columns(columns)


def _at_rows(data: ArrayData | TableData | None, rows: Sequence[Any]) -> ArrayData | TableData:
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
    return data.in_sets(*row_sets(titled, data.count, "split"))
