"""The examples of a table: features, label and columns apart, without rows that lack a value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfcourse.data.examples import Examples, check_targets
from tfcourse.data.splits import Part
from tfcourse.data.tables.column_values import feature, is_coarse, plain_values
from tfcourse.data.tables.columns import Column, Columns
from tfcourse.data.tables.table_labels import class_labels, numeric_labels
from tfcourse.data.tables.table_options import TableOptions
from tfcourse.errors import InputError
from tfcourse.types import Array

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ColumnRoles", "TableOrigin", "table_examples"]


@dataclass(frozen=True)
class ColumnRoles:
    """The columns of a table by what they are for.

    Attributes:
        features: Those of x.
        label: That of y.
        apart: Those that are no features, by the setting that names each.
    """

    features: tuple[str, ...]
    label: str
    apart: Mapping[str, str]


@dataclass(frozen=True)
class TableOrigin:
    """The origin of a table, for messages.

    Attributes:
        name: Its file, or what it is called.
        row: Names the place of a row.
        lines: Lines about it, for people to read.
    """

    name: str
    row: Callable[[int], str]
    lines: tuple[str, ...]


def table_examples(
    columns: "dict[str, pyarrow.ChunkedArray]",
    roles: ColumnRoles,
    options: TableOptions,
    numbers: bool,
    origin: TableOrigin,
) -> Examples:
    """Return the examples of a table.

    Args:
        columns: Its columns by name, which are removed one by one.
        roles: Their roles.
        options: The choices.
        numbers: Whether the label is a number to predict, not a class.
        origin: Its origin.

    Raises:
        InputError: A column or a value is not usable.
    """
    name, row, label = origin.name, origin.row, roles.label
    complete, notes = _complete_rows(columns, roles, options, origin)
    rows = None
    if not complete.all():
        rows = np.flatnonzero(complete)
        for column in columns:
            columns[column] = columns[column].filter(complete)
        row = _row_among(origin.row, rows)
    others = {column: plain_values(columns[column]) for column in roles.apart.values()}
    y, classes = (numeric_labels if numbers else class_labels)(
        columns[label], label, options, name, row
    )
    by_name = {column: columns.pop(column) for column in dict.fromkeys(roles.features)}
    columns.clear()
    matrix, schema = _matrix(by_name, options, name, row)
    targets, outputs = check_targets(y, "y", name, numbers)
    warnings = tuple(note for note in notes if options.missing != "drop" and "left out" in note)
    quiet_notes = [note for note in notes if note not in warnings]
    lines = (*origin.lines, *quiet_notes)
    described = Columns(schema, label, options.missing, origin=lines)
    return Examples(Part(matrix, targets), outputs, others, described, classes, warnings, rows)


def _row_among(row: Callable[[int], str], rows: npt.NDArray[np.int64]) -> Callable[[int], str]:
    """Return a function that names the place of one of some rows."""
    return lambda number: row(int(rows[number]))


def _missing_mask(column: "pyarrow.ChunkedArray") -> npt.NDArray[np.bool_]:
    import pyarrow
    from pyarrow import compute

    nan_too = pyarrow.types.is_floating(column.type)
    mask: npt.NDArray[np.bool_] = compute.is_null(column, nan_is_null=nan_too).to_numpy()
    return mask


def _complete_rows(
    columns: "Mapping[str, pyarrow.ChunkedArray]",
    roles: ColumnRoles,
    options: TableOptions,
    origin: TableOrigin,
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Return which rows lack no value, but those that can be replaced, and notes.

    Raises:
        InputError: A column has no value at all, or values are missing and are to be an error.
    """
    counts: dict[str, int] = {}
    path, label, total = origin.name, roles.label, len(columns[roles.label])
    first = total
    incomplete = np.zeros(total, dtype=np.bool_)
    for name in [*roles.features, label]:
        mask = _missing_mask(columns[name])
        if mask.all():
            remedy = f'Leave it out with drop = ["{name}"].' if name != label else "Name another."
            what = "the label" if name == label else "the column"
            raise InputError(f'{path}: {what} "{name}" has no value in any row. {remedy}')
        if mask.any():
            counts[name] = int(mask.sum())
            first = min(first, int(mask.argmax()))
            if options.missing in ("error", "drop") or name == label:
                incomplete |= mask
    if not counts:
        return ~incomplete, []
    text = ", ".join(f'"{name}" {count}' for name, count in counts.items())
    if options.missing == "error":
        others = ', "mean" or "median" fill them' if set(counts) != {label} else ""
        raise InputError(
            f"{path}: values are missing: {text} of {total} rows, the first in "
            f'{origin.row(first)}. missing = "drop" leaves the rows out{others}.'
        )
    note = f"values are missing: {text}"
    if not incomplete.any():
        return ~incomplete, [note]
    if incomplete.all():
        raise InputError(f"{path}: every row lacks a value: {text}. Leave a column out with drop.")
    lacking = int(incomplete.sum())
    note += f"; {lacking} of {total} rows are left out"
    if options.missing != "drop":
        note += f', which lack the label "{label}"'
    return ~incomplete, [note]


def _matrix(
    columns: "dict[str, pyarrow.ChunkedArray]",
    options: TableOptions,
    origin: str,
    row: Callable[[int], str],
) -> tuple[Array, tuple[Column, ...]]:
    """Return the columns as a matrix, float64 if float32 would merge numbers of one.

    Args:
        columns: The columns by name, which are removed one by one.
        options: The choices.
        origin: Names the file in messages.
        row: Names a row in messages.
    """
    names, count = [*columns], len(next(iter(columns.values())))
    wide = any(is_coarse(column) for column in columns.values())
    matrix: Any = np.empty((count, len(names)), np.float64 if wide else np.float32)
    features = []
    for place, name in enumerate(names):
        column, matrix[:, place] = feature(columns.pop(name), name, options, origin, row)
        features.append(column)
    return matrix, tuple(features)
