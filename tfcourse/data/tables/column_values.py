"""The values of a column of a table, as numbers."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfcourse.data.precision import check_whole_numbers, coarse_columns
from tfcourse.data.tables.column_texts import (
    check_levels,
    check_no_numbers,
    distinct_texts,
    no_number,
    toml_key,
)
from tfcourse.data.tables.columns import Column
from tfcourse.data.tables.table_options import ColumnKind, Encoding, TableOptions
from tfcourse.errors import InputError, shortened
from tfcourse.types import Array

if TYPE_CHECKING:
    import pyarrow

__all__ = ["column_kind", "days", "feature", "is_coarse", "number_values", "plain_values"]

DATE = re.compile(r"\d{4}-\d\d-\d\d([ T].*)?")
BOOLEAN = re.compile("true|false|0|1", re.IGNORECASE)


def feature(
    values: "pyarrow.ChunkedArray",
    name: str,
    options: TableOptions,
    origin: str,
    row: Callable[[int], str],
) -> tuple[Column, Array]:
    """Return a column of features, and its values as numbers, NaN or -1 for missing ones.

    Args:
        values: The values.
        name: The column's name.
        options: The choices for the table.
        origin: Names the file in messages.
        row: Names a row in messages.

    Raises:
        InputError: The values can't be features, or are not of the column's type.
    """
    title = f'{origin}: the column "{name}"'
    own = options.of(name)
    kind = column_kind(values.type, name, own.type, title, lambda: _strange_value(values, own.type))
    if kind != "category":
        if own.encoding is not None:
            raise InputError(
                f'{title} holds numbers, and encoding is for categories. Give it type = "category".'
            )
        if kind == "number":
            return Column(name, kind), number_values(values, title, row, options.decimal)
        if kind == "date":
            return Column(name, kind), days(values)
        return Column(name, kind), _booleans(values, title, row)
    levels, codes = distinct_texts(values)
    if own.type is None:
        check_no_numbers(values, levels, codes, title, row, options.decimal)
        check_levels(levels, len(codes), name, title, options)
    encoding: Encoding = "one_hot" if len(levels) <= options.max_one_hot else "index"
    return Column(name, kind, levels, own.encoding or encoding), codes.astype(np.float32)


def column_kind(
    kind: "pyarrow.DataType",
    name: str,
    wanted: ColumnKind | None,
    title: str,
    example: Callable[[], object],
) -> ColumnKind:
    """Return the type of a column, the wanted one if it can have it.

    Args:
        kind: Its type in the file.
        name: Its name.
        wanted: The type that the config names.
        title: Names the column in messages.
        example: Returns a value for messages.

    Raises:
        InputError: It can't have the wanted type, or be a feature.
    """
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    leave_out = f'Leave it out with drop = ["{name}"]'
    if types.is_date(kind) or types.is_timestamp(kind):
        if wanted in ("date", "category"):
            return wanted
        raise InputError(
            f'{title} holds dates, of the type {kind}. {leave_out}, or give it type = "date" in '
            f"[data.columns.{toml_key(name)}], which makes days since 1970-01-01 of them."
        )
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    own: ColumnKind | None = "category" if is_text else "number" if is_number else None
    own = "boolean" if types.is_boolean(kind) else own
    if own is None:
        raise InputError(
            f"{title} is of the type {kind}, which is neither numbers nor texts. {leave_out}, or "
            "write numbers of it as columns of their own."
        )
    if wanted == "date" or (wanted == "boolean" and own != "boolean" and not is_number):
        form = "2026-01-31" if wanted == "date" else "true or false"
        convert = "as with pandas.to_datetime" if wanted == "date" else 'such as with == "true"'
        raise InputError(
            f'{title} is to be of the type "{wanted}", which is written {form} in a csv; '
            f"convert texts of other tables, {convert}. Received: "
            f'"{shortened(str(example()), 40)}". {leave_out}, or give it type = "category".'
        )
    if wanted == "number" and own == "category":
        return "number"  # number_values names the first text
    return wanted or own


def _strange_value(values: "pyarrow.ChunkedArray", wanted: ColumnKind | None) -> object:
    """Return the first value that is no date, or no boolean, in its text; the first if all are."""
    form = DATE if wanted == "date" else BOOLEAN
    present = values.drop_null().to_pylist()
    return next((value for value in present if not form.fullmatch(str(value))), present[0])


def number_values(
    values: "pyarrow.ChunkedArray",
    title: str,
    row: Callable[[int], str],
    decimal: str | None = None,
) -> npt.NDArray[np.floating[Any]]:
    """Return numbers as floats; raise InputError if one is none or not finite in float32."""
    from pyarrow import compute, float64, types

    kind = values.type.value_type if types.is_dictionary(values.type) else values.type
    if types.is_integer(kind) and not types.is_dictionary(values.type):
        whole = values.drop_null().to_numpy()
        check_whole_numbers([whole], title.partition(": ")[0], [title.partition(": ")[2]])
    elif types.is_string(kind) or types.is_large_string(kind):
        raise no_number(values, title, row, decimal)
    if types.is_dictionary(values.type):
        values = values.cast(kind)
    numbers: npt.NDArray[np.floating[Any]]
    numbers = compute.cast(values, float64(), safe=False).to_numpy()
    with np.errstate(over="ignore"):
        infinite = np.isinf(numbers.astype(np.float32))
    if infinite.any():
        first = int(infinite.argmax())
        raise InputError(
            f"{title} holds {int(infinite.sum())} values that are not finite in float32, the first "
            f"in {row(first)}: {numbers[first]}. Correct them, or leave the column out with drop."
        )
    return numbers


def days(values: "pyarrow.ChunkedArray") -> npt.NDArray[np.float64]:
    """Return the days since 1970-01-01, with the time as a fraction."""
    import pyarrow
    from pyarrow import compute

    naive = (
        values.cast(pyarrow.timestamp("us")) if values.type != pyarrow.timestamp("us") else values
    )
    micro = compute.cast(naive, pyarrow.int64()).cast(pyarrow.float64(), safe=False).to_numpy()
    return np.asarray(micro / 86_400e6)


def _booleans(
    values: "pyarrow.ChunkedArray", title: str, row: Callable[[int], str]
) -> npt.NDArray[np.floating[Any]]:
    """Return 0 and 1."""
    numbers = number_values(values, title, row)
    other = ~(np.isin(numbers, (0, 1)) | np.isnan(numbers))
    if other.any():
        first = int(other.argmax())
        raise InputError(
            f'{title} is to be of the type "boolean", which is true or false, 1 or 0. Received in '
            f"{row(first)}: {numbers[first]:g}."
        )
    return numbers


def is_coarse(values: "pyarrow.ChunkedArray") -> bool:
    """Return True if the values are numbers that float32 would merge."""
    from pyarrow import compute, float64, types

    kind = values.type
    if types.is_timestamp(kind):
        return True
    exact = types.is_float32(kind) or types.is_float16(kind)
    numeric = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if exact or not numeric:
        return False
    numbers = compute.cast(values.drop_null(), float64(), safe=False).to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    with np.errstate(over="ignore"):
        return bool(len(numbers) and coarse_columns(numbers[:, None]))


def plain_values(values: "pyarrow.ChunkedArray") -> Array:
    """Return the values of a column as they are: numbers, dates or texts."""
    from pyarrow import types

    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    array: Array = values.to_numpy()
    if array.dtype == object and not values.null_count:
        return array.astype(np.str_) if types.is_string(values.type) else array
    return array
