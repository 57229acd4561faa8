"""Examples from a table in a file: features, label and columns apart."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfcourse.data.examples import Examples, check_targets
from tfcourse.data.splits import Part
from tfcourse.data.tables.column_files import column_names, read_columns
from tfcourse.data.tables.column_values import feature, is_coarse, plain_values
from tfcourse.data.tables.columns import Column, Columns
from tfcourse.data.tables.csv_file import CsvFormat, csv_format, csv_line, read_csv, unnamed
from tfcourse.data.tables.table_labels import class_labels, numeric_labels
from tfcourse.data.tables.table_options import TableOptions
from tfcourse.errors import InputError, one_of
from tfcourse.types import Array

if TYPE_CHECKING:
    import pyarrow

__all__ = ["choose_columns", "read_table"]


def read_table(
    source: str,
    path: Path,
    label: str | None,
    options: TableOptions,
    numbers: bool,
    apart: Mapping[str, str],
) -> Examples:
    """Return the examples of a file.

    Args:
        source: One of `tfcourse.data.tables.table_options.TABLE_SOURCES`.
        path: The file; of Parquet and Arrow also a folder of parts or a pattern.
        label: The column that is y; None is the last one.
        options: The choices.
        numbers: Whether the label is a number to predict, not a class.
        apart: Columns that are no features, by the setting that names each.

    Raises:
        InputError: The file, a column or a value is not usable.
    """
    form = csv_format(path, options) if source == "csv" else None
    if form is not None:
        options = replace(options, decimal=form.decimal)
    names = list(form.names) if form is not None else column_names(path, source)
    features, label = choose_columns(path, names, label, options, apart)
    wanted = [*dict.fromkeys([*features, label, *apart.values()])]
    if form is not None:
        table = read_csv(path, form, options, wanted)
    else:
        table = read_columns(path, source, wanted)
    count = len(table)
    row = _row_namer(path, form)
    complete, notes = _complete_rows(table, features, label, options, path, row)
    if not complete.all():
        table, row = table.filter(complete), _row_namer(path, form, np.flatnonzero(complete))
    others = {name: plain_values(table.column(name)) for name in apart.values()}
    y, classes = (numeric_labels if numbers else class_labels)(
        table.column(label), label, options, str(path), row
    )
    # From here on a column is released as soon as it is in the matrix.
    by_name = {name: table.column(name) for name in features}
    del table
    matrix, schema = _matrix(by_name, options, str(path), row)
    targets, outputs = check_targets(y, "y", str(path), numbers)
    warnings = tuple(note for note in notes if options.missing != "drop" and "left out" in note)
    quiet_notes = [note for note in notes if note not in warnings]
    origin = (f"{path}: {count} rows", *_format_lines(form), *quiet_notes)
    columns = Columns(schema, label, options.missing, origin=origin)
    return Examples(Part(matrix, targets), outputs, others, columns, classes, warnings)


def choose_columns(
    path: Path,
    names: Sequence[str],
    label: str | None,
    options: TableOptions,
    apart: Mapping[str, str],
) -> tuple[list[str], str]:
    """Return the columns of features and the label's.

    Raises:
        InputError: A column that the config names does not exist, or none is left.
    """
    roles = {"features": options.features, "drop": options.drop, "columns": options.columns}
    for key, listed in {**roles, **{key: [name] for key, name in apart.items()}}.items():
        for name in listed:
            if name not in names:
                raise InputError(one_of(f"{key}: the columns of {path}", name, names))
    free = [name for name in names if name not in apart.values() and name not in options.drop]
    label = label if label is not None else (free or [*names])[-1]
    if label not in free:
        raise InputError(one_of(f"label: the column of {path}", label, free))
    features = [name for name in options.features or free if name in free and name != label]
    if not features:
        raise InputError(f'{path} has no column of features beside the label "{label}".')
    for place, name in enumerate(names):
        if name == unnamed(place) and name in features and name not in options.features:
            raise InputError(
                f"{path}: {name} has no name in the header, such as the index that pandas writes. "
                f'Leave it out with drop = ["{name}"], or give it a name.'
            )
    return features, label


def _row_namer(
    path: Path, form: CsvFormat | None, rows: "npt.NDArray[np.int64] | None" = None
) -> Callable[[int], str]:
    """Return a function that names the place of a row in messages.

    Args:
        path: The file.
        form: Its format, if it is a csv.
        rows: The places in the file of the rows that the function is called with; None for all.
    """

    def name(row: int) -> str:
        row = row if rows is None else int(rows[row])
        return f"row {row}" if form is None else f"line {csv_line(path, form, row)}"

    return name


def _format_lines(form: CsvFormat | None) -> list[str]:
    if form is None:
        return []
    separators = {"\t": "tab", " ": "blank"}
    separator = separators.get(form.separator, form.separator)
    encoding = "utf-8" if form.encoding == "utf-8-sig" else form.encoding
    return [f'separator "{separator}", decimal point "{form.decimal}", encoding {encoding}']


def _missing_mask(column: "pyarrow.ChunkedArray") -> npt.NDArray[np.bool_]:
    import pyarrow
    from pyarrow import compute

    nan_too = pyarrow.types.is_floating(column.type)
    mask: npt.NDArray[np.bool_] = compute.is_null(column, nan_is_null=nan_too).to_numpy()
    return mask


def _complete_rows(
    table: "pyarrow.Table",
    features: Sequence[str],
    label: str,
    options: TableOptions,
    path: Path,
    row: Callable[[int], str],
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Return which rows lack no value, but those that can be replaced, and notes.

    Raises:
        InputError: A column has no value at all, or values are missing and are to be an error.
    """
    counts: dict[str, int] = {}
    first = len(table)
    incomplete = np.zeros(len(table), dtype=np.bool_)
    for name in [*features, label]:
        mask = _missing_mask(table.column(name))
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
            f"{path}: values are missing: {text} of {len(table)} rows, the first in {row(first)}. "
            f'missing = "drop" leaves the rows out{others}.'
        )
    note = f"values are missing: {text}"
    if not incomplete.any():
        return ~incomplete, [note]
    if incomplete.all():
        raise InputError(f"{path}: every row lacks a value: {text}. Leave a column out with drop.")
    lacking = int(incomplete.sum())
    note += f"; {lacking} of {len(table)} rows are left out"
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
