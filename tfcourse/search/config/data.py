"""Checks of ``[data]``."""

import re
from pathlib import Path

from tfcourse.data.sources import check_source
from tfcourse.data.tables.table_options import TABLES
from tfcourse.errors import InputError, error_line, shown
from tfcourse.imports import load_function
from tfcourse.search.config.column_tables import table_problems
from tfcourse.search.config.split_tables import split_problems
from tfcourse.search.config.stream_tables import stream_problems
from tfcourse.search.config.tables import DataTable

__all__ = ["absolute_path", "is_function_name", "validate_data"]

# The keys that rows of Parquet files can have only in memory.
IN_MEMORY = (
    "group",
    "order",
    "order_by",
    "split_by",
    "stratify",
    "sample_weight",
    "steps_per_epoch",
    "validation_steps",
)


def validate_data(
    table: DataTable, folder: Path, exists: bool
) -> tuple[DataTable | None, list[str]]:
    """Return the table with an absolute path, and a line for each error.

    Args:
        table: The table.
        folder: The folder to which its path is relative.
        exists: True if the source needs no check: the data is in memory, or not read at all.
    """
    errors: list[str] = []
    if not 2 <= len(table.split) <= 3 or min(table.split) <= 0 or abs(sum(table.split) - 1) > 1e-6:
        errors.append(
            "[data] split must be shares > 0 that sum to 1: of train, dev and test, or without a "
            f"test set of train and dev. Received: {shown(list(table.split))}."
        )
    by_function = table.path is not None and is_function_name(table.path)
    if table.path is not None and not by_function:
        path, lines = absolute_path("[data] path", table.path, folder)
        if lines:
            return None, [*errors, *lines]
        table = table.model_copy(update={"path": path})
    if table.label is not None and table.source not in (*TABLES, "tfrecord"):
        errors.append(
            '[data] label is for source "csv", "parquet", "arrow" or "tfrecord". Received: '
            f'"{table.source}".'
        )
    errors += table_problems(table.source, table)
    errors += split_problems(table.source, table.label, table)
    errors += stream_problems(table.source, table.label, table, exists)
    errors += _row_stream_problems(table) if table.stream else []
    if table.source == "images" and "normalize" not in table.model_fields_set:
        table = table.model_copy(update={"normalize": "rescale"})
    if not exists:
        try:
            if by_function:
                load_function(str(table.path), "path")  # called when the data is loaded
            else:
                check_source(table.source, None if table.path is None else Path(table.path))
        except InputError as error:
            errors.append(f"[data] {error}")
    return table, errors


def _row_stream_problems(table: DataTable) -> list[str]:
    """Return a line for each key that streamed rows of Parquet files can't have."""
    if table.source != "parquet":
        return [f'[data] stream is for source "parquet" only. Received: "{table.source}".']
    values = {key: getattr(table, key) for key in IN_MEMORY}
    lines = [
        f"[data] {key} of streamed rows is not supported. Leave it out, or give stream = false, "
        f"which reads all into memory. Received: {key} = {shown(value)}."
        for key, value in values.items()
        if value is not None
    ]
    if table.missing == "median":
        lines.append(
            '[data] missing of streamed rows must be "error", "drop" or "mean"; "median" needs all '
            "numbers of a column in memory: give stream = false."
        )
    return lines


def is_function_name(text: str) -> bool:
    """Return True if a path is ``package.module:function``, which returns the path."""
    return re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text) is not None


def absolute_path(where: str, text: str, folder: Path) -> tuple[str, list[str]]:
    """Return a path as an absolute one, and a line if it can't be used.

    Args:
        where: The table and key.
        text: The path.
        folder: The folder to which it is relative, unless it begins with ``~``.
    """
    try:
        path = (folder / Path(text).expanduser()).resolve()
        path.exists()  # a name that is too long is an error only here
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        return text, [f"{where} {shown(text)} can't be used: {error_line(error)}."]
    return str(path), []
