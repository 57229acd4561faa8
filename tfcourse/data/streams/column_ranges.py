"""The ranges of columns of numbers that are read in chunks, and those that float32 merges."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfcourse.data.precision import SHARE, is_constant

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ColumnRanges"]


class ColumnRanges:
    """The least and the largest number of each column.

    Args:
        columns: The number of columns.

    Attributes:
        low: The least number of each column, in float64.
        high: The largest number of each.
        rounding: The most by which float32 rounds a number of each.
        exact: The least and the largest number beyond 2**53, where float64 merges whole numbers,
            by column; not of floats.
    """

    def __init__(self, columns: int) -> None:
        self.low, self.high = np.full(columns, np.inf), np.full(columns, -np.inf)
        self.rounding = np.zeros(columns)
        self.exact: dict[int, tuple[Any, ...]] = {}

    def add(
        self,
        numbers: npt.NDArray[np.float64],
        stored: "pyarrow.RecordBatch",
        rows: npt.NDArray[np.bool_],
    ) -> None:
        """Add some rows of a chunk, at least one; NaN is a missing number.

        Args:
            numbers: The columns in float64, (rows, columns).
            stored: The same columns as the file has them.
            rows: Which rows.
        """
        numbers = numbers[rows]
        rounding = np.fmax.reduce(np.abs(numbers - numbers.astype(np.float32)), axis=0)
        self.low = np.fmin(self.low, np.fmin.reduce(numbers, axis=0))
        self.high = np.fmax(self.high, np.fmax.reduce(numbers, axis=0))
        self.rounding = np.fmax(self.rounding, rounding)
        for place in np.flatnonzero(np.maximum(-self.low, self.high) > 2**53).tolist():
            both = self.exact.get(place, ()) + _exact(stored.column(place).filter(rows))
            self.exact[place] = (min(both), max(both)) if both else ()

    @property
    def coarse(self) -> npt.NDArray[np.bool_]:
        """True for each column that needs more digits than float32 has."""
        merged = np.array([len({*self.exact.get(n, ())}) > 1 for n in range(len(self.low))])
        coarse = self.rounding > SHARE * (self.high - self.low)
        return np.where(is_constant(self.low, self.high), merged, coarse)

    def least(self, place: int) -> str:
        """Return the least number of a column with all its digits."""
        exact = self.exact.get(place)
        return str(exact[0]) if exact else f"{self.low[place]:.17g}"


def _exact(column: "pyarrow.Array") -> tuple[Any, ...]:
    from pyarrow import compute, types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_floating(column.type):
        return ()
    return tuple(compute.min_max(column).as_py().values())
