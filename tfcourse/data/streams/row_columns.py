"""Columns of Parquet files as numbers and as labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfcourse.errors import InputError
from tfcourse.types import Array

if TYPE_CHECKING:
    import pyarrow

__all__ = ["check_columns", "label_type", "label_values", "number_values"]


def check_columns(
    file: Path, schema: "pyarrow.Schema", features: Sequence[str], label: str
) -> None:
    """Raise InputError if a file lacks a column, or a feature is no number."""
    from pyarrow import types

    for name in [*features, label]:
        if schema.names.count(name) != 1:
            raise InputError(
                f'{file} must have the column "{name}" once, as the first part has. Received: '
                f"{', '.join(schema.names)}."
            )
    for name in features:
        kind = schema.field(name).type
        if not (_is_number(kind) or types.is_boolean(kind)):
            raise InputError(
                f'{file}: the column "{name}" is of the type {kind}, and stream = true takes '
                f'numbers and booleans. Leave it out with drop = ["{name}"], write it as numbers, '
                "or give stream = false, which reads all into memory."
            )


def label_type(
    schemas: Mapping[Path, "pyarrow.Schema"], label: str, numbers: bool
) -> "pyarrow.DataType":
    """Return the type of the label in all files: int64, float64 or string.

    Args:
        schemas: The schema of each file.
        label: The column.
        numbers: Whether it is a number to predict, not a class.

    Raises:
        InputError: It is no number where one is predicted, or a number only in some files.
    """
    import pyarrow
    from pyarrow import types

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


def number_values(column: "pyarrow.Array", dtype: Any) -> Array:
    """Return numbers and booleans as floats, NaN where they are missing."""
    import pyarrow
    from pyarrow import compute, types

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
