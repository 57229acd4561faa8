"""Rows of Parquet files, which are read in chunks, row group by row group."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfcourse.data.splitting.assignment import SET_NAMES
from tfcourse.data.streams.row_columns import (
    feature_values,
    features_of,
    label_type,
    label_values,
)
from tfcourse.data.streams.set_folders import sets_of_folder
from tfcourse.data.tables.column_files import part_files
from tfcourse.data.tables.columns import Column
from tfcourse.data.tables.table import choose_columns
from tfcourse.data.tables.table_options import TableOptions
from tfcourse.errors import InputError, error_line
from tfcourse.types import Array

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Chunk", "RowGroup", "RowGroups", "row_groups"]

# The rows that are decoded at once.
CHUNK = 8192
# The bytes of a column that are read at once.
BUFFER = 1 << 18


class RowGroup(NamedTuple):
    """A row group of a file.

    Attributes:
        path: The file.
        number: The number of the group in it.
        first: The number of its first row in the file.
        rows: The number of its rows.
        set: The number of the set that all its rows are in; None if they are drawn.
    """

    path: Path
    number: int
    first: int
    rows: int
    set: int | None


class Chunk(NamedTuple):
    """Rows that follow each other in a row group.

    Attributes:
        group: The row group.
        first: The number of the first row in the group.
        columns: The features and last the label as the file has them.
        x: The features, (rows, features), NaN where a value is missing; see
            `tfcourse.data.streams.row_columns.feature_values`.
        y: The label's column, of the type `RowGroups.label_type`; null if missing.
        sets: The number of the set of each row.
        complete: True for each row that is not left out because it lacks a value.
    """

    group: RowGroup
    first: int
    columns: "pyarrow.RecordBatch"
    x: Array
    y: "pyarrow.Array"
    sets: npt.NDArray[np.int64]
    complete: npt.NDArray[np.bool_]

    def place(self, row: int) -> str:
        """Return the place of a row in words."""
        return f"row {self.group.first + self.first + int(row)} of {self.group.path.name}"


@dataclass(frozen=True)
class RowGroups:
    """The row groups of all files of a table.

    The set of a row is drawn from the seed and the number of its row group: a share of [0, 1)
    belongs to each set, and a uniform number to each row.

    Attributes:
        path: The path of the config, for messages.
        groups: The row groups, in the order of the files' names.
        columns: The columns of x, of which categories have no levels before `survey_rows`.
        label: The column of y.
        label_type: The type of the labels, see `tfcourse.data.streams.row_columns.label_type`.
        set_names: The names of the sets by their numbers.
        split: The shares of train, dev and perhaps test.
        seed: The seed of the sets.
        fills: Whether missing features are filled later; else their rows are left out.
    """

    path: Path
    groups: tuple[RowGroup, ...]
    columns: tuple[Column, ...]
    label: str
    label_type: "pyarrow.DataType"
    set_names: tuple[str, ...]
    split: tuple[float, ...]
    seed: int
    fills: bool

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the columns of x."""
        return tuple(column.name for column in self.columns)

    @property
    def is_matrix(self) -> bool:
        """True if a model takes x as it is."""
        return not self.fills and all(column.kind == "number" for column in self.columns)

    @property
    def files(self) -> int:
        """The number of files."""
        return len({group.path for group in self.groups})

    def sets(self, place: int) -> npt.NDArray[np.int64]:
        """Return the number of the set of each row of a row group."""
        group = self.groups[place]
        if group.set is not None:
            return np.full(group.rows, group.set)
        uniform = np.random.default_rng([self.seed, place]).random(group.rows)
        return np.searchsorted(np.cumsum(self.split)[:-1], uniform, side="right")

    def chunks(self, place: int, dtype: Any = np.float32) -> Iterator[Chunk]:
        """Yield the rows of a row group.

        Args:
            place: The number of the row group among all.
            dtype: The type of x, float32 or float64.

        Raises:
            InputError: The file can't be read.
        """
        import pyarrow
        from pyarrow import parquet

        group, sets, first = self.groups[place], self.sets(place), 0
        try:
            with parquet.ParquetFile(group.path, buffer_size=BUFFER) as file:
                names = [*self.features, self.label]
                for stored in file.iter_batches(CHUNK, [group.number], names, use_threads=False):
                    batch = stored.select(names)
                    x: Any = np.empty((len(batch), len(self.features)), dtype)
                    for n, column in enumerate(self.columns):
                        x[:, n] = feature_values(batch.column(n), column, dtype)
                    title = f'{group.path}: the label "{self.label}"'
                    y = label_values(batch.column(self.label), self.label_type, title)
                    complete = y.is_valid().to_numpy(zero_copy_only=False)
                    if not self.fills:
                        complete &= ~np.isnan(x).any(axis=1)
                    of_rows = sets[first : first + len(batch)]
                    yield Chunk(group, first, batch, x, y, of_rows, complete)
                    first += len(batch)
        except (pyarrow.ArrowException, OSError) as error:
            raise InputError(f"{group.path} can't be read: {error_line(error)}") from None


def row_groups(
    path: Path,
    label: str | None,
    options: TableOptions,
    split: Sequence[float],
    seed: int,
    numbers: bool,
) -> RowGroups:
    """Return the row groups of a file, a pattern, a folder, or one with folders of the sets.

    Args:
        path: The path.
        label: The column that is y; None is the last one.
        options: The choices for the table.
        split: The shares of train, dev and perhaps test, if there are no folders of sets.
        seed: The seed of the sets.
        numbers: Whether the label is a number to predict, not a class.

    Raises:
        InputError: There is no file, one can't be read, or a column is missing or no feature.
    """
    folders = sets_of_folder(path) if path.is_dir() else None
    places = {None: path} if folders is None else folders
    groups, schemas = list[RowGroup](), dict[Path, Any]()
    for name, place in places.items():
        files = part_files(place, "parquet")
        if not files:
            raise InputError(f"path: no parquet file: {place}.")
        for file in files:
            schemas[file], sizes = _opened(file)
            first = np.cumsum([0, *sizes])
            number = None if name is None else SET_NAMES.index(name)
            groups += [
                RowGroup(file, n, int(first[n]), size, number) for n, size in enumerate(sizes)
            ]
    if not any(group.rows for group in groups):
        raise InputError(f"{path} has no rows.")
    (first_file, schema), *_ = schemas.items()
    features, label = choose_columns(first_file, list(schema.names), label, options, {})
    columns = features_of(schemas, features, label, options)
    return RowGroups(
        path,
        tuple(groups),
        columns,
        label,
        label_type(schemas, label, numbers, options.of(label).type),
        SET_NAMES[: len(split if folders is None else folders)],
        tuple(split),
        seed,
        options.missing == "mean",
    )


def _opened(file: Path) -> "tuple[pyarrow.Schema, list[int]]":
    """Return the schema of a file and the numbers of rows of its row groups."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as opened:
            footer = opened.metadata
            sizes = [footer.row_group(n).num_rows for n in range(footer.num_row_groups)]
            return opened.schema_arrow, sizes
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{file} can't be read as parquet: {error_line(error)}") from None
