"""Tables in memory whose columns are not numbers alone, to be split or already split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tfcourse.data.arrays import shares_of
from tfcourse.data.examples import Examples
from tfcourse.data.output_names import check_output_names
from tfcourse.data.tables.frames import arrow_values
from tfcourse.data.tables.table_options import TableOptions
from tfcourse.types import Array

if TYPE_CHECKING:
    import pyarrow

__all__ = ["TableData", "free_name"]

NAME = "the table"


@dataclass(frozen=True)
class TableData:
    """All rows of train, dev and test, in this order, or rows that are to be split.

    Attributes:
        columns: The columns by name, with those of y, of the weights, and of what splits the rows.
        starts: The rows with which dev and test begin; None if the rows are to be split.
    """

    columns: "Mapping[str, pyarrow.ChunkedArray]"
    starts: tuple[int, ...] | None = None

    source = "dataframe"

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(next(iter(self.columns.values())))

    @property
    def shares(self) -> tuple[float, ...] | None:
        """The shares of train, dev and, if any, test; None if the rows are to be split."""
        return shares_of(self.starts, self.count)

    def in_sets(self, order: npt.NDArray[np.intp], starts: tuple[int, ...]) -> "TableData":
        """Return rows in the order of sets, of which dev and test begin at ``starts``."""
        return TableData({name: c.take(order) for name, c in self.columns.items()}, starts)

    def with_columns(self, columns: Mapping[str, Array]) -> "TableData":
        """Return the table with more columns, whose names are free."""
        more = {name: arrow_values(values, name) for name, values in columns.items()}
        return replace(self, columns={**self.columns, **more})

    def examples(
        self,
        label: str | None,
        options: TableOptions,
        numbers: bool | Mapping[str, bool],
        apart: Mapping[str, str],
    ) -> Examples:
        """Return the examples, as `tfcourse.data.tables.table.read_table` does those of a file.

        Labels that are true or false are the classes 1 and 0, as in arrays.

        Raises:
            InputError: A column or a value is not usable.
        """
        from pyarrow import int8, types

        from tfcourse.data.tables.table import choose_columns
        from tfcourse.data.tables.table_examples import ColumnRoles, TableOrigin, table_examples

        features, label = choose_columns(NAME, [*self.columns], label, options, apart)
        wanted = dict.fromkeys([*features, label, *apart.values()])
        columns = {name: self.columns[name] for name in wanted}
        if types.is_boolean(columns[label].type):
            columns[label] = columns[label].cast(int8())
        origin = TableOrigin(NAME, "row {}".format, (f"a table of {self.count} rows",))
        is_number = check_output_names((), numbers)[""]  # a table has one column of targets
        roles = ColumnRoles(tuple(features), label, apart)
        return table_examples(columns, roles, options, is_number, origin)


def free_name(name: str, names: Sequence[str]) -> str:
    """Return a name, with ``_`` behind it as often as it is one of others."""
    while name in names:
        name += "_"
    return name
