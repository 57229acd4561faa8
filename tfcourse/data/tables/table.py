"""A table in a file: its columns, and the place of a row for messages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tfcourse.data.examples import Examples
from tfcourse.data.tables.column_files import column_names, read_columns
from tfcourse.data.tables.csv_file import CsvFormat, csv_format, csv_line, read_csv, unnamed
from tfcourse.data.tables.table_examples import ColumnRoles, TableOrigin, table_examples
from tfcourse.data.tables.table_options import TableOptions
from tfcourse.errors import InputError, one_of

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
    if form is not None:
        _check_named(path, names, features, options)
    wanted = [*dict.fromkeys([*features, label, *apart.values()])]
    table = read_csv(path, form, options, wanted) if form else read_columns(path, source, wanted)
    count, columns = len(table), {name: table.column(name) for name in wanted}
    del table  # a column is released as soon as it is in the matrix
    roles = ColumnRoles(tuple(features), label, apart)
    lines = (f"{path}: {count} rows", *_format_lines(form))
    origin = TableOrigin(str(path), _row_namer(path, form), lines)
    return table_examples(columns, roles, options, numbers, origin)


def choose_columns(
    path: Path | str,
    names: Sequence[str],
    label: str | None,
    options: TableOptions,
    apart: Mapping[str, str],
) -> tuple[list[str], str]:
    """Return the columns of features and the label's.

    Args:
        path: The file, or what it is called in messages.
        names: The names of all columns.
        label: The label's column; None is the last one.
        options: The choices.
        apart: Columns that are no features, by the setting that names each.

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
    return features, label


def _check_named(
    path: Path, names: Sequence[str], features: Sequence[str], options: TableOptions
) -> None:
    """Raise InputError if a column of features has no name in the header."""
    for place, name in enumerate(names):
        if name == unnamed(place) and name in features and name not in options.features:
            raise InputError(
                f"{path}: {name} has no name in the header, such as the index that pandas writes. "
                f'Leave it out with drop = ["{name}"], or give it a name.'
            )


def _row_namer(path: Path, form: CsvFormat | None) -> Callable[[int], str]:
    """Return a function that names the place of a row in messages.

    Args:
        path: The file.
        form: Its format, if it is a csv.
    """

    def name(row: int) -> str:
        return f"row {row}" if form is None else f"line {csv_line(path, form, row)}"

    return name


def _format_lines(form: CsvFormat | None) -> list[str]:
    if form is None:
        return []
    separators = {"\t": "tab", " ": "blank"}
    separator = separators.get(form.separator, form.separator)
    encoding = "utf-8" if form.encoding == "utf-8-sig" else form.encoding
    return [f'separator "{separator}", decimal point "{form.decimal}", encoding {encoding}']
