"""Columns of Parquet files as numbers, as texts and as labels."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcourse.data.tables.column_values import column_kind, days
from tfcourse.data.tables.columns import Column
from tfcourse.data.tables.table_options import ColumnKind, TableOptions
from tfcourse.errors import InputError
from tfcourse.types import Array

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "feature_values",
    "features_of",
    "label_type",
    "label_values",
    "number_values",
    "text_values",
]


def features_of(
    schemas: Mapping[Path, "pyarrow.Schema"],
    names: Sequence[str],
    label: str,
    options: TableOptions,
) -> tuple[Column, ...]:
    """Return the columns of features, without the levels of categories.

    If there are only numbers and booleans, none of which is to be filled or has a type in the
    config, booleans are numbers, so that a model takes one matrix.

    Args:
        schemas: The schema of each file.
        names: The columns.
        label: The label's column.
        options: The choices for the table.

    Raises:
        InputError: A file lacks a column, or one can't be a feature or is of several types.
    """
    for file, schema in schemas.items():
        for name in [*names, label]:
            if schema.names.count(name) != 1:
                raise InputError(
                    f'{file} must have the column "{name}" once, as the first part has. Received: '
                    f"{', '.join(schema.names)}."
                )
    kinds = {name: _kind_in_files(schemas, name, options) for name in names}
    plain = not options.columns and options.missing in ("error", "drop")
    if plain and {*kinds.values()} <= {"number", "boolean"}:
        kinds = dict.fromkeys(names, "number")
    return tuple(Column(name, kind) for name, kind in kinds.items())


def _kind_in_files(
    schemas: Mapping[Path, "pyarrow.Schema"], name: str, options: TableOptions
) -> ColumnKind:
    """Return the type of a column in all files."""
    own, of_kind = options.of(name), dict[ColumnKind, Path]()
    for file, schema in schemas.items():
        title, stored = f'{file}: the column "{name}"', schema.field(name).type
        kind = column_kind(stored, name, own.type, title, partial(str, stored))
        if kind == "number" and _is_text(stored):
            raise InputError(
                f'{title} is of the type {stored}, and is to be of the type "number". Leave it out '
                f'with drop = ["{name}"], write numbers, or give it type = "category".'
            )
        if kind != "category" and own.encoding is not None:
            raise InputError(
                f"{title} is of the type {stored}, and encoding is for categories. Give it type = "
                '"category".'
            )
        of_kind.setdefault(kind, file)
    if len(of_kind) > 1 and not {*of_kind} <= {"number", "boolean"}:
        types_of_files = " and ".join(f"{kind} in {file}" for kind, file in of_kind.items())
        raise InputError(
            f'the column "{name}" is of the type {types_of_files}. Write all parts with the same '
            "one."
        )
    return "number" if len(of_kind) > 1 else next(iter(of_kind))


def label_type(
    schemas: Mapping[Path, "pyarrow.Schema"],
    label: str,
    numbers: bool,
    declared: ColumnKind | None = None,
) -> "pyarrow.DataType":
    """Return the type of the label in all files: int64, float64 or string.

    Args:
        schemas: The schema of each file.
        label: The column.
        numbers: Whether it is a number to predict, not a class.
        declared: The type that the config names.

    Raises:
        InputError: It is no number where one is predicted, or a number only in some files.
    """
    import pyarrow
    from pyarrow import types

    if numbers and declared not in (None, "number"):
        raise InputError(
            f'{next(iter(schemas))}: the label "{label}" is of the type "{declared}", but the loss '
            "takes numbers."
        )
    if declared == "category":
        return pyarrow.string()
    kinds = dict[pyarrow.DataType, tuple[Path, pyarrow.DataType]]()
    for file, schema in schemas.items():
        kind = schema.field(label).type
        kind = kind.value_type if types.is_dictionary(kind) else kind
        if numbers and not (_is_number(kind) or types.is_boolean(kind) or types.is_null(kind)):
            raise InputError(
                f'{file}: the label "{label}" is of the type {kind}, but the loss takes numbers.'
            )
        if not types.is_null(kind):
            whole = pyarrow.int64() if types.is_integer(kind) else pyarrow.float64()
            kinds.setdefault(whole if _is_number(kind) else pyarrow.string(), (file, kind))
    if pyarrow.string() in kinds and len(kinds) > 1 and not numbers:
        types_of_files = (f"{kind} in {file.name}" for file, kind in kinds.values())
        raise InputError(
            f'{next(iter(schemas)).parent}: the label "{label}" is of the type '
            f"{' and '.join(types_of_files)}. Write all parts with the same one."
        )
    if numbers or pyarrow.float64() in kinds:
        return pyarrow.float64()
    return next(iter(kinds), pyarrow.string())


def feature_values(column: "pyarrow.Array", feature: Column, dtype: Any) -> Array:
    """Return a feature's values as floats, NaN where they are missing.

    Those of a category are the places of its texts among its levels, NaN for others; all are 0
    if it has no levels yet.
    """
    import pyarrow
    from pyarrow import compute

    if feature.kind == "date":
        return days(pyarrow.chunked_array([column])).astype(dtype)
    if feature.kind != "category":
        return number_values(column, dtype)
    texts = text_values(column)
    if feature.levels:
        places = compute.index_in(texts, pyarrow.array(feature.levels, pyarrow.string()))
    else:
        places = compute.if_else(texts.is_valid(), 0, None)
    return number_values(places, dtype)


def text_values(column: "pyarrow.Array") -> "pyarrow.Array":
    """Return a column as texts, null where one is missing."""
    import pyarrow
    from pyarrow import compute, types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_floating(column.type):
        column = compute.if_else(compute.is_nan(column), None, column)
    return compute.cast(column, pyarrow.string())


def number_values(column: "pyarrow.Array", dtype: Any) -> Array:
    """Return numbers and booleans as floats, NaN where they are missing."""
    import pyarrow
    from pyarrow import compute, types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_decimal(column.type):
        column = compute.cast(column, pyarrow.float64(), safe=False)
    kind = pyarrow.from_numpy_dtype(dtype)
    numbers: Array = compute.cast(column, kind, safe=False).to_numpy(zero_copy_only=False)
    return numbers


def label_values(column: "pyarrow.Array", kind: "pyarrow.DataType", title: str) -> "pyarrow.Array":
    """Return labels of the type that `label_type` returns, NaN as missing.

    Raises:
        InputError: They are whole numbers that the type does not have.
    """
    import pyarrow
    from pyarrow import compute, types

    if types.is_string(kind):
        return text_values(column)
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        values = compute.cast(column, kind, safe=types.is_integer(column.type))
    except pyarrow.ArrowInvalid:
        most = "2**63 - 1" if types.is_integer(kind) else "2**53"
        raise InputError(
            f"{title} holds whole numbers above {most}. Subtract a constant from them, or write "
            "classes as texts."
        ) from None
    if types.is_floating(kind):
        return compute.if_else(compute.is_nan(values), None, values)
    return values


def _is_number(kind: "pyarrow.DataType") -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_text(kind: "pyarrow.DataType") -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))
