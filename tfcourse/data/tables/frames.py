"""Tables in memory, of pandas, polars or pyarrow, as columns of Arrow."""

import importlib.util
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from tfcourse.data.frames import as_array
from tfcourse.errors import InputError, error_line
from tfcourse.types import DataFrame, TensorLike

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "arrow_columns",
    "arrow_values",
    "column_names",
    "holds_numbers",
    "is_frame",
    "is_pandas",
]


def is_frame(value: object) -> bool:
    """Return True for a table of pandas, polars or pyarrow, or another that Arrow can read."""
    return hasattr(value, "__arrow_c_stream__") and hasattr(value, "columns")


def is_pandas(value: object) -> bool:
    """Return True for a ``DataFrame`` or ``Series`` of pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series)


def holds_numbers(value: TensorLike) -> bool:
    """Return True if a table or a column holds numbers alone, and none is missing."""
    try:
        array = as_array(value, "x")
    except InputError:
        return False
    return array.dtype.kind in "biu" or (array.dtype.kind == "f" and not np.isnan(array).any())


def column_names(frame: DataFrame) -> tuple[str, ...]:
    """Return the names of the columns of a table, without blanks around them."""
    names = getattr(frame, "column_names", None)  # of pyarrow, whose columns are the values
    return tuple(str(name).strip() for name in (frame.columns if names is None else names))


def arrow_columns(
    frame: DataFrame, title: str, drop: Collection[str] = ()
) -> "dict[str, pyarrow.ChunkedArray]":
    """Return the columns of a table by name; the index of pandas is no column.

    Args:
        frame: The table.
        title: Names it in messages.
        drop: Columns that are not read; all their values are missing.

    Raises:
        InputError: pyarrow is missing, names are missing or twice there, or a column holds what
            Arrow has no type for.
    """
    names = column_names(frame)
    wrong = [name for name in names if names.count(name) > 1 or not name]
    if wrong:
        raise InputError(
            f"{title}: the columns must have names that differ from each other. Received: "
            f'"{wrong[0]}"{" more than once" * bool(wrong[0])}.'
        )
    of_column = f'{title}: the column "{{}}"'.format
    if is_pandas(frame):
        columns: Any = [frame.iloc[:, place] for place in range(len(names))]
    else:
        columns = _arrow_table(frame, title).columns
    pairs = zip(names, columns, strict=True)
    return {
        name: arrow_values([None] * len(values) if name in drop else values, of_column(name))
        for name, values in pairs
    }


def arrow_values(values: TensorLike, title: str) -> "pyarrow.ChunkedArray":
    """Return a column of pandas, polars, pyarrow or NumPy, without its categories' numbers.

    Args:
        values: The column.
        title: Names it in messages.

    Raises:
        InputError: pyarrow is missing, or Arrow has no type for the values.
    """
    check_arrow(title)
    import pyarrow

    try:
        if isinstance(values, pyarrow.ChunkedArray):
            column = values
        elif not is_pandas(values) and hasattr(values, "__arrow_c_stream__"):
            column = pyarrow.chunked_array(values)
        else:
            array = pyarrow.array(_plain(values), from_pandas=True)
            column = array if isinstance(array, pyarrow.ChunkedArray) else _chunked(array)
        return _without_categories(column)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        raise InputError(
            f"{title} holds values that are no column of numbers, texts or dates: "
            f"{error_line(error)}. Make texts of them, as pandas does with .astype(str), or leave "
            "it out."
        ) from None


def _plain(values: TensorLike) -> TensorLike:
    """Return a column of pandas, without the compression of a sparse one, or an array."""
    if not is_pandas(values):
        return np.asarray(values)
    return values.sparse.to_dense() if hasattr(values, "sparse") else values


def _without_categories(column: "pyarrow.ChunkedArray") -> "pyarrow.ChunkedArray":
    """Return a column with the values of its categories, which may differ between sets.

    Texts that are views, such as those of polars, become plain ones: pyarrow can't select views.
    """
    from pyarrow import DictionaryArray, chunked_array, string, types

    if types.is_dictionary(column.type):
        kind = column.type.value_type
        kind = string() if types.is_string_view(kind) else kind
        chunks = [
            DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast(kind)).cast(kind)
            for chunk in column.chunks
        ]
        return chunked_array(chunks, kind)
    return column.cast(string()) if types.is_string_view(column.type) else column


def check_arrow(title: str) -> None:
    """Raise InputError if pyarrow is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise InputError(
            f"{title} needs pyarrow, as it is not numbers alone. Install it: pip install pyarrow."
        )


def _arrow_table(frame: DataFrame, title: str) -> "pyarrow.Table":
    check_arrow(title)
    import pyarrow

    try:
        return pyarrow.table(frame)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        raise InputError(f"{title} can't be read as a table: {error_line(error)}.") from None


def _chunked(array: "pyarrow.Array") -> "pyarrow.ChunkedArray":
    import pyarrow

    return pyarrow.chunked_array([array])
