"""The columns of a table of numbers and categories, as a matrix, and as a model takes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcourse.data.tables.table_options import ColumnKind, Encoding, Missing
from tfcourse.data.tables.train_statistics import TrainStatistics
from tfcourse.errors import InputError
from tfcourse.types import Array

__all__ = ["NUMBERS", "Column", "Columns", "input_name", "present"]

# The input of the numbers and one-hot levels of a table that has other inputs too.
NUMBERS = "features"


@dataclass(frozen=True)
class Column:
    """A column of features.

    Attributes:
        name: Its name.
        kind: Its type; a date is the number of days since 1970-01-01.
        levels: The texts of a category, sorted. The matrix has their places in it, or -1.
        encoding: The encoding of a category; None for others.
    """

    name: str
    kind: ColumnKind
    levels: tuple[str, ...] = ()
    encoding: Encoding | None = None


@dataclass(frozen=True)
class Columns:
    """The features of a table, whose raw values are a matrix of a column for each of them.

    Attributes:
        features: The columns.
        label: The name of the label's column.
        missing: The rule for missing values, which are NaN in the matrix.
        sizes: The number of levels of each category that a model has inputs for, by name.
        origin: Lines about the file, for people to read.
        ranges: The least and the largest number of each column by name, of rows that are streamed.
        statistics: Those of the train set, of rows that are streamed.
        encoded: Whether x is no longer the matrix but what a model takes.

    Raises:
        InputError: Two inputs of a model would have one name.
    """

    features: tuple[Column, ...]
    label: str
    missing: Missing = "error"
    sizes: Mapping[str, int] | None = None
    origin: tuple[str, ...] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    statistics: TrainStatistics | None = None
    encoded: bool = False

    def __post_init__(self) -> None:
        if self.is_matrix:
            return
        by_input = dict[str, str]()
        for name in self.names:
            other = by_input.setdefault(input_name(name), name)
            if other != name:
                raise InputError(
                    f'the columns "{other}" and "{name}" would both be the input '
                    f'"{input_name(name)}" of a model. Rename one, or leave it out with drop.'
                )
        indices = self.categories("index")
        if len(indices) < len(self.features) and any(self.names[n] == NUMBERS for n in indices):
            raise InputError(
                f'the column "{NUMBERS}" is an index, and the other columns are together the input '
                f'"{NUMBERS}" of a model. Rename it, or leave it out with drop.'
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.features)

    @property
    def is_matrix(self) -> bool:
        """True if there are only numbers, and all are there: a model takes the matrix as it is."""
        plain = all(column.kind == "number" for column in self.features)
        return plain and self.missing in ("error", "drop")

    @property
    def is_ready(self) -> bool:
        """True if a model takes x as it is."""
        return self.encoded or self.is_matrix

    @property
    def numbers(self) -> list[int]:
        """The places of the columns that are numbers to a model."""
        return [n for n, column in enumerate(self.features) if column.kind != "category"]

    def categories(self, encoding: Encoding) -> list[int]:
        """Return the places of the categories of an encoding."""
        return [n for n, column in enumerate(self.features) if column.encoding == encoding]

    @property
    def shape(self) -> Any:
        """The shape of an example as a model takes it; a dict by input if a column is an index."""
        if self.is_matrix:
            return (len(self.features),)
        one_hot = [self.features[place] for place in self.categories("one_hot")]
        width = len(self.numbers) + sum(self.size(column) for column in one_hot)
        indices = [input_name(self.features[place].name) for place in self.categories("index")]
        if not indices:
            return (width,)
        return {**({NUMBERS: (width,)} if width else {}), **dict.fromkeys(indices, (1,))}

    def size(self, column: Column) -> int:
        """Return the number of levels of a category that a model has inputs for."""
        return len(column.levels) if self.sizes is None else self.sizes[column.name]

    @property
    def index_sizes(self) -> dict[str, int]:
        """The ``input_dim`` of an ``Embedding`` of each index: its levels, and 0 for others."""
        indices = (self.features[place] for place in self.categories("index"))
        return {input_name(column.name): self.size(column) + 1 for column in indices}

    def sized(self, matrix: Array) -> "Columns":
        """Return the columns with the levels that occur in a matrix as `sizes`."""
        sizes = {
            column.name: len(present(matrix[:, place]))
            for place, column in enumerate(self.features)
            if column.kind == "category"
        }
        return replace(self, sizes=sizes)

    def raw(self, matrix: Array) -> dict[str, npt.NDArray[np.generic]]:
        """Return the columns of a matrix as texts and numbers, by the names of a model's inputs.

        A missing text is "", a missing number NaN.
        """
        columns: dict[str, npt.NDArray[np.generic]] = {}
        for place, column in enumerate(self.features):
            values = matrix[:, place]
            if column.kind == "category":
                texts = np.array([*column.levels, ""], dtype=object)
                columns[input_name(column.name)] = texts[values.astype(np.int64)]
            else:
                columns[input_name(column.name)] = np.ascontiguousarray(values)
        return columns


def input_name(column: str) -> str:
    """Return the name of the input for a column; Keras has no "/" in names."""
    return column.replace("/", "_")


def present(codes: Array) -> "npt.NDArray[np.int64]":
    """Return the places of the levels that occur in a column, in order."""
    places = np.unique(codes).astype(np.int64)
    return np.asarray(places[places >= 0])
