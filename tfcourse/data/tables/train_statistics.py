"""Statistics of the columns of a train set that is read in chunks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["TrainStatistics"]

Numbers = npt.NDArray[np.float64]


class TrainStatistics:
    """Counts, moments and ranges of columns, in which NaN is a missing value.

    Attributes:
        rows: The number of rows.
        counts: The number of values of each column.
        mean: Their mean μ.
        squares: Their sum of squares, Σ(x - μ)².
        low: The least value of each; infinity if there is none.
        high: The largest; minus infinity if there is none.
        levels: The places of the levels that occur, by the name of a category.
    """

    def __init__(self, columns: int) -> None:
        self.rows = 0
        self.counts = np.zeros(columns, np.int64)
        self.mean, self.squares = np.zeros(columns), np.zeros(columns)
        self.low, self.high = np.full(columns, np.inf), np.full(columns, -np.inf)
        self.levels: Mapping[str, npt.NDArray[np.int64]] = {}

    def add(self, matrix: Numbers) -> None:
        """Add rows, with the update that `tfcourse.data.streams.moments.streamed_moments` states.

        Args:
            matrix: Their values, (rows, columns).
        """
        if not len(matrix):
            return
        present = ~np.isnan(matrix)
        number = present.sum(axis=0)
        total = np.maximum(self.counts + number, 1)
        mean = np.where(present, matrix, 0).sum(axis=0) / np.maximum(number, 1)
        difference = np.where(number, mean - self.mean, 0)
        self.squares += np.where(present, (matrix - mean) ** 2, 0).sum(axis=0)
        self.squares += difference**2 * self.counts * number / total
        self.mean += difference * number / total
        self.low = np.fmin(self.low, np.fmin.reduce(matrix, axis=0))
        self.high = np.fmax(self.high, np.fmax.reduce(matrix, axis=0))
        self.counts += number
        self.rows += len(matrix)

    def scaling(self, place: int, method: str) -> tuple[float, float]:
        """Return the shift and scale of a column, whose missing values are its mean.

        As `tfcourse.data.scaling.fit_scaling`, of float32.

        Args:
            place: The number of the column.
            method: ``"standardize"``, ``"min_max"`` or ``"rescale"``.
        """
        low, high = np.float32(self.low[place]), np.float32(self.high[place])
        if method == "rescale":
            return 0.0, 255.0
        if low == high:
            return float(low), 1.0
        if method == "min_max":
            return float(low), float(high) - float(low)
        deviation: Any = np.sqrt(self.squares[place] / self.rows)
        return float(self.mean[place]), float(deviation)
