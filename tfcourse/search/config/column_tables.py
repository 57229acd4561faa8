"""The keys of ``[data]`` that are for tables in files: csv, Parquet and Arrow."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, Strict

from tfcourse.data.tables.table_options import (
    TABLES,
    ColumnKind,
    ColumnOptions,
    Encoding,
    Missing,
    TableOptions,
)
from tfcourse.search.config.table import Table

__all__ = ["ColumnTable", "TableKeys", "table_options", "table_problems", "without_defaults"]

Names = Annotated[tuple[str, ...], Strict(False)]


class ColumnTable(Table):
    """``[data.columns.NAME]``: the type of a column, and the encoding of a category."""

    type: ColumnKind | None = None
    encoding: Encoding | None = None


class TableKeys(Table):
    """The keys for tables, see `tfcourse.data.tables.table_options.TableOptions`."""

    features: Names = ()
    drop: Names = ()
    missing: Missing = "error"
    missing_values: Names = ()
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str = "utf-8"
    max_one_hot: int = Field(default=32, ge=1)
    columns: dict[str, ColumnTable] = Field(default_factory=dict)


# Those for the text of a csv.
CSV_KEYS = ("missing_values", "separator", "decimal", "encoding")


def table_options(keys: TableKeys) -> TableOptions:
    """Return the choices for a table."""
    names = TableKeys.model_fields.keys() - {"columns"}
    columns = {
        name: ColumnOptions(column.type, column.encoding) for name, column in keys.columns.items()
    }
    return TableOptions(**{name: getattr(keys, name) for name in names}, columns=columns)


def changed_keys(keys: TableKeys) -> dict[str, Any]:
    """Return the keys for tables whose values are not the defaults."""
    fields = TableKeys.model_fields
    values = {name: getattr(keys, name) for name in fields}
    return {
        name: value
        for name, value in values.items()
        if value != fields[name].get_default(call_default_factory=True)
    }


def table_problems(source: str, keys: TableKeys) -> list[str]:
    """Return a line for each key that has no effect on a source, or excludes another one."""
    changed = changed_keys(keys)
    problems = []
    for key in changed:
        sources = ("csv",) if key in CSV_KEYS else TABLES
        if source not in sources:
            listed = ", ".join(f'"{name}"' for name in sources)
            problems.append(f'[data] {key} is for source {listed} only. Received: "{source}".')
    both = [name for name in keys.features if name in keys.drop]
    if both:
        problems.append(
            f'[data] features and drop both name "{both[0]}". Remove it from one of them.'
        )
    for name, column in keys.columns.items():
        if column.encoding is not None and column.type not in (None, "category"):
            problems.append(
                f'[data.columns] "{name}": encoding is for type = "category". Received: '
                f'"{column.type}".'
            )
    if keys.separator is not None and keys.separator == keys.decimal:
        problems.append(f'[data] separator and decimal must differ. Received: "{keys.decimal}".')
    return problems


def without_defaults(data: Mapping[str, Any], keys: TableKeys) -> dict[str, Any]:
    """Return the entries of ``[data]`` without the keys for tables that have their defaults."""
    changed = changed_keys(keys)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in data.items()
        if name not in TableKeys.model_fields or name in changed
    }
