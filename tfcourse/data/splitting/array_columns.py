"""Columns of arrays in memory by which they are split."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tfcourse.data.nested import Arrays
from tfcourse.errors import InputError, one_of, shown
from tfcourse.types import Array

__all__ = ["COLUMN_KEYS", "joined_columns", "without_columns"]

# The settings that name a column by which examples are split.
COLUMN_KEYS = ("group", "order_by", "split_by")


def without_columns(
    name: str, pair: Sequence[Arrays], columns: Mapping[str, str]
) -> Sequence[Arrays]:
    """Return a pair (x, y) whose x, a ``DataFrame`` or a dict, lacks some columns.

    Args:
        name: The name of the argument, for messages.
        pair: The pair.
        columns: The columns by the setting that names each.

    Raises:
        InputError: x has no names, or lacks one of these.
    """
    if not columns or not isinstance(pair, tuple | list) or not pair:
        return pair
    x = pair[0]
    for key, column in columns.items():
        names = [*getattr(x, "columns", x if isinstance(x, Mapping) else ())]
        if not names:
            raise InputError(
                f"{key} = {shown(column)} names a column, and x of {name} has no names. Give the "
                f"array itself, {key}=array, with a value for each example."
            )
        if column not in names:
            raise InputError(one_of(f"{key}: the column of x of {name}", column, names))
    if isinstance(x, Mapping):
        return ({key: v for key, v in x.items() if key not in columns.values()}, *pair[1:])
    return (x.drop(columns=[*columns.values()]), *pair[1:])


def joined_columns(
    pairs: Iterable[Sequence[Arrays]], columns: Mapping[str, str]
) -> dict[str, Array]:
    """Return the values of the columns that `without_columns` takes away, of all pairs."""
    pairs = list(pairs)
    return {c: np.concatenate([np.asarray(x[c]) for x, *_ in pairs]) for c in columns.values()}
