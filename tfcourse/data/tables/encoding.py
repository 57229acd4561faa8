"""Tables of numbers and categories as a model takes them, by what the train set holds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcourse.data.nested import Arrays
from tfcourse.data.scaling import Scaling, fit_scaling
from tfcourse.data.splits import Split
from tfcourse.data.tables.columns import NUMBERS, Columns, input_name, present
from tfcourse.data.tables.train_statistics import TrainStatistics
from tfcourse.errors import InputError
from tfcourse.types import Array

__all__ = ["TableEncoding", "encoding_of_statistics", "fit_encoding"]


@dataclass(frozen=True)
class TableEncoding:
    """The numbers that a model takes for the columns of a table.

    Numbers, in the order of their columns, come before the one-hot levels. A level that is not in
    the train set, and a missing one, has no 1 in a one-hot, and the index 0; the levels of the
    train set have the indices from 1 on, in their order.

    Attributes:
        columns: The columns.
        levels: The places of the levels that the train set has, by the name of a category.
        fills: The number for a missing one, by the name of a column; empty if there is none.
        scaling: The scaling of the numbers; None if there is none.
        is_wide: Whether numbers are float64, as float32 would merge those of a column.
    """

    columns: Columns
    levels: Mapping[str, npt.NDArray[np.int64]]
    fills: Mapping[str, float]
    scaling: Scaling | None
    is_wide: bool = False

    def apply(self, matrix: Array) -> Arrays:
        """Return a matrix of float32, or a dict of it and of the indices; both are new."""
        columns = self.columns
        numbers, one_hots = columns.numbers, columns.categories("one_hot")
        width = len(numbers) + sum(columns.size(columns.features[n]) for n in one_hots)
        x = np.zeros((len(matrix), width), np.float32)
        for target, place in enumerate(numbers):
            x[:, target] = self._number(matrix[:, place], target, columns.features[place].name)
        first = len(numbers)
        for place in one_hots:
            column = columns.features[place]
            index = self._index(matrix[:, place], column.name)
            rows = np.flatnonzero(index)
            x[rows, first + index[rows] - 1] = 1
            first += columns.size(column)
        indices = {
            input_name(columns.features[place].name): self._index(
                matrix[:, place], columns.features[place].name
            ).astype(np.int32)[:, None]
            for place in columns.categories("index")
        }
        if not indices:
            return x
        return {**({NUMBERS: x} if width else {}), **indices}

    def apply_to(self, split: Split) -> Split:
        """Return the split with all its sets encoded."""
        return replace(
            split.map(lambda part: part.with_x(self.apply)),
            columns=replace(self.columns, encoded=True),
        )

    def _number(self, values: Array, target: int, name: str) -> Array:
        if name in self.fills:
            values = np.where(np.isnan(values), values.dtype.type(self.fills[name]), values)
        if self.scaling is None:
            return values
        return np.asarray((values - self.scaling.shift[target]) / self.scaling.scale[target])

    def _index(self, codes: Array, name: str) -> npt.NDArray[np.int64]:
        """Return the place of each level among those of the train set from 1 on, 0 for others."""
        levels = self.levels[name]
        places = codes.astype(np.int64)
        index = np.searchsorted(levels, places)
        is_level = levels[np.minimum(index, len(levels) - 1)] == places
        return np.where(is_level, index + 1, 0)


def fit_encoding(columns: Columns, train: Array, method: str) -> TableEncoding:
    """Return the encoding by a train set.

    The scaling is of numbers and dates, whose missing ones are replaced before; booleans and
    one-hot levels stay 0 and 1.

    Args:
        columns: The columns.
        train: The matrix of the train set.
        method: As `tfcourse.data.scaling.fit_scaling` takes it, or ``"none"``.

    Raises:
        InputError: A column has no value in the train set.
    """
    for place, column in enumerate(columns.features):
        values = train[:, place]
        missing = values < 0 if column.kind == "category" else np.isnan(values)
        if missing.all():
            raise _without_value(column.name, len(values))
    categories = [*columns.categories("one_hot"), *columns.categories("index")]
    levels = {columns.features[place].name: present(train[:, place]) for place in categories}
    fills = {}
    if columns.missing in ("mean", "median"):
        middle = np.nanmean if columns.missing == "mean" else np.nanmedian
        for place in columns.numbers:
            fills[columns.features[place].name] = float(middle(train[:, place].astype(np.float64)))
    encoding = TableEncoding(columns, levels, fills, None, train.dtype == np.float64)
    if method == "none" or not columns.numbers:
        return encoding
    return replace(encoding, scaling=_scaling(encoding, train, method))


def _scaling(encoding: TableEncoding, train: Array, method: str) -> Scaling:
    """Return the scaling of the numbers of a train set, column by column."""
    columns = encoding.columns
    shift = np.zeros(len(columns.numbers), train.dtype)
    scale = np.ones(len(columns.numbers), train.dtype)
    for target, place in enumerate(columns.numbers):
        column = columns.features[place]
        if column.kind != "boolean":
            values = encoding._number(train[:, place], target, column.name)
            how: Any = method  # checked with the config
            of_column = fit_scaling(values[:, None], how)
            shift[target], scale[target] = of_column.shift[0], of_column.scale[0]
    return Scaling(shift, scale)


def encoding_of_statistics(columns: Columns, train: TrainStatistics, method: str) -> TableEncoding:
    """Return the encoding that `fit_encoding` returns, to rounding, of a train set's statistics.

    Args:
        columns: The columns; ``missing`` is not ``"median"``.
        train: What a pass over the rows of the train set collected.
        method: As for `fit_encoding`.

    Raises:
        InputError: A column has no value in the train set.
    """
    for place in np.flatnonzero(train.counts == 0).tolist():
        raise _without_value(columns.features[place].name, train.rows)
    fills = {}
    if columns.missing == "mean":
        fills = {columns.features[n].name: float(train.mean[n]) for n in columns.numbers}
    encoding = TableEncoding(columns, train.levels, fills, None)
    if method == "none" or not columns.numbers:
        return encoding
    shift = np.zeros(len(columns.numbers), np.float32)
    scale = np.ones(len(columns.numbers), np.float32)
    for target, place in enumerate(columns.numbers):
        if columns.features[place].kind != "boolean":
            shift[target], scale[target] = train.scaling(place, method)
    return replace(encoding, scaling=Scaling(shift, scale))


def _without_value(name: str, rows: int) -> InputError:
    return InputError(
        f'the column "{name}" has no value in the train set of {rows} rows. Leave it out with '
        f'drop = ["{name}"], or give more data.'
    )
