"""The arguments of `tfcourse.Search` that are tables in memory, as columns of one table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfcourse.data.arrays import Pair
from tfcourse.data.tables.frames import arrow_columns, arrow_values, column_names, is_frame
from tfcourse.data.tables.table_data import TableData, free_name
from tfcourse.data.weights import check_weight
from tfcourse.errors import InputError, shown
from tfcourse.types import TensorLike

if TYPE_CHECKING:
    import pyarrow

__all__ = ["table_data"]


def table_data(
    sets: Mapping[str, Pair], settings: Mapping[str, object]
) -> tuple[TableData, dict[str, str]]:
    """Return the rows of sets, and the settings that name the columns of y and of the weights.

    Args:
        sets: A table with all columns, or a pair (x, y) or (x, y, sample_weight) with a table as
            x, by the name of the argument: ``data``, or ``train``, ``dev`` and, if any, ``test``.
        settings: The settings of the search.

    Raises:
        InputError: The tables differ in their columns, or y or the weights do not suit them.
    """
    names = dict[str, str]()
    first, pair = next(iter(sets.items()))
    if not is_frame(pair):
        if settings.get("label") is not None:
            raise InputError(
                f"label names a column of {first}=table, which is y. Received: label and y, as "
                f"{first}=(x, y); leave out one of them."
            )
        of_x = [*column_names(pair[0])]
        names["label"] = free_name(_name_of(pair[1]), of_x)
        if any(not is_frame(each) and len(each) == 3 for each in sets.values()):
            if settings.get("sample_weight") is not None:
                raise InputError("sample_weight is given twice: as a column, and beside y.")
            names["sample_weight"] = free_name("sample_weight", [*of_x, names["label"]])
    listed = settings.get("drop")  # not checked yet
    drop = [*listed] if isinstance(listed, list | tuple) else []
    parts = {name: _columns(name, pair, names, first, drop) for name, pair in sets.items()}
    _check_same_columns(parts)
    counts = [len(next(iter(part.values()))) for part in parts.values()]
    starts = tuple(int(start) for start in np.cumsum(counts)[:-1]) if first != "data" else None
    return TableData(_joined([*parts.values()]), starts), names


def _name_of(y: object) -> str:
    if is_frame(y):
        return column_names(y)[0]
    name = getattr(y, "name", None)
    return "y" if name is None or not str(name).strip() else str(name).strip()


def _columns(
    name: str, pair: Pair, names: Mapping[str, str], first: str, drop: Sequence[str]
) -> "dict[str, pyarrow.ChunkedArray]":
    """Return the columns of a set, with those of y and of the weights by their ``names``."""
    if is_frame(pair) == bool(names) or (names and not is_frame(pair[0])):
        wanted = f"(x, y) with a table as x, as {first} is" if names else f"a table, as {first} is"
        kind = pair[0] if isinstance(pair, tuple | list) and names else pair
        raise InputError(f"{name} must be {wanted}. Received: {type(kind).__name__}.")
    if not names:
        return _not_empty(arrow_columns(pair, name, drop), name)
    columns = _not_empty(arrow_columns(pair[0], f"x of {name}", drop), name)
    count = len(next(iter(columns.values())))
    columns[names["label"]] = _label_column(pair[1], f"y of {name}", count)
    if "sample_weight" in names:
        ones = np.ones(count, np.float32)
        weight = check_weight(pair[2], ones, name) if len(pair) == 3 else ones
        columns[names["sample_weight"]] = arrow_values(weight, f"sample_weight of {name}")
    return columns


def _not_empty(
    columns: "dict[str, pyarrow.ChunkedArray]", name: str
) -> "dict[str, pyarrow.ChunkedArray]":
    if not columns or not len(next(iter(columns.values()))):
        raise InputError(f"{name}: the table has no rows, or no columns.")
    return columns


def _label_column(y: TensorLike, title: str, count: int) -> "pyarrow.ChunkedArray":
    """Return y as one column; raise InputError if it is none of as many rows as x."""
    shape = np.shape(y) if not isinstance(y, Mapping) else ()
    if shape not in ((count,), (count, 1)):
        received = f"a dict of {shown([*y])}" if isinstance(y, Mapping) else f"the shape {shape}"
        raise InputError(
            f"{title} must be one column of {count} rows, as x is a table that is not numbers "
            f"alone. Received: {received}."
        )
    if is_frame(y):
        return next(iter(arrow_columns(y, title).values()))
    return arrow_values(np.ravel(y) if len(shape) == 2 else y, title)


def _check_same_columns(parts: "Mapping[str, Mapping[str, pyarrow.ChunkedArray]]") -> None:
    """Raise InputError if sets differ in the names of their columns, whose order is free."""
    first = next(iter(parts))
    for name, columns in parts.items():
        differing = {*parts[first]} ^ {*columns}
        if differing:
            listed = [column for column in (*parts[first], *columns) if column in differing]
            raise InputError(
                f"{first} and {name} must have the same columns. Not in both: {', '.join(listed)}."
            )


def _joined(
    parts: "Sequence[Mapping[str, pyarrow.ChunkedArray]]",
) -> "Mapping[str, pyarrow.ChunkedArray]":
    """Return the rows of all sets, one set after the other."""
    if len(parts) == 1:
        return parts[0]
    import pyarrow

    joined = {}
    for name in parts[0]:
        tables = [pyarrow.table({name: part[name]}) for part in parts]
        try:
            whole = pyarrow.concat_tables(tables, promote_options="permissive")
        except pyarrow.ArrowException:
            kinds = ", ".join(dict.fromkeys(str(part[name].type) for part in parts))
            raise InputError(
                f'the column "{name}" must be of one type in all sets. Received: {kinds}.'
            ) from None
        joined[name] = whole.column(name)
    return joined
