"""The choices with which a table in a file is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "TABLES",
    "TABLE_SOURCES",
    "ClassNames",
    "ColumnKind",
    "ColumnOptions",
    "Encoding",
    "Missing",
    "TableOptions",
]

# Tables in files, and all, with those in memory.
TABLE_SOURCES = ("csv", "parquet", "arrow")
TABLES = (*TABLE_SOURCES, "dataframe")

ColumnKind: TypeAlias = Literal["number", "category", "boolean", "date"]
Encoding: TypeAlias = Literal["one_hot", "index"]
# Of a label: its texts, or its numbers if these are not 0 … C-1.
ClassNames: TypeAlias = tuple[str | int, ...]
Missing: TypeAlias = Literal["error", "mean", "median", "drop"]


@dataclass(frozen=True)
class ColumnOptions:
    """The choices for one column.

    Attributes:
        type: The column's type; None finds it from the values.
        encoding: The encoding of a category; None is by ``max_one_hot``.
    """

    type: ColumnKind | None = None
    encoding: Encoding | None = None


@dataclass(frozen=True)
class TableOptions:
    """The choices for a table.

    Attributes:
        features: The columns of x; empty takes all that are left.
        drop: Columns that are left out.
        missing: The rule for missing values: ``"error"`` refuses them, ``"drop"`` leaves out their
            rows, ``"mean"`` and ``"median"`` put that of the train set in their place (a missing
            category then counts as an unknown one).
        missing_values: Texts that count as missing in a csv, beside the usual ones.
        separator: The separator of a csv; None finds it.
        decimal: The decimal point of a csv; None finds it.
        encoding: The encoding of a csv.
        max_one_hot: The number of levels up to which a category is one-hot; one of more levels is
            an index.
        columns: The choices for single columns by name.
    """

    features: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    missing: Missing = "error"
    missing_values: tuple[str, ...] = ()
    separator: str | None = None
    decimal: str | None = None
    encoding: str = "utf-8"
    max_one_hot: int = 32
    columns: Mapping[str, ColumnOptions] = field(default_factory=dict)

    def of(self, name: str) -> ColumnOptions:
        """Return the choices for a column."""
        return self.columns.get(name, ColumnOptions())
