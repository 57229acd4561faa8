"""The columns of a table, which an estimator takes if they are numbers."""

import sys
from types import ModuleType

import numpy as np

from tfcourse.errors import shown
from tfcourse.types import Series, TensorLike

__all__ = ["check_columns"]


def check_columns(x: TensorLike) -> None:
    """Raise ValueError, with the remedy, if a table of pandas has columns that are no numbers."""
    # A table of pandas exists only where pandas has been imported.
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(x, pandas.DataFrame):
        return
    columns = [(name, x.iloc[:, number]) for number, name in enumerate(x.columns)]
    names = [name for name, column in columns if not _holds_numbers(column, pandas)]
    if names:
        raise ValueError(
            f"X must hold numbers. Received other columns: {shown(names)}. Encode texts before the "
            "search, in a Pipeline: make_column_transformer((OneHotEncoder(sparse_output=False, "
            f"handle_unknown='ignore'), {shown(names)}), remainder='passthrough'). Of a date make "
            "numbers, such as the days since another."
        )


def _holds_numbers(column: Series, pandas: ModuleType) -> bool:
    if pandas.api.types.is_numeric_dtype(column.dtype):
        return True
    if getattr(column.dtype, "kind", "O") in "mM":  # NumPy counts nanoseconds
        return False
    try:
        column.to_numpy(np.float64)
    except (TypeError, ValueError):
        return False
    return True
