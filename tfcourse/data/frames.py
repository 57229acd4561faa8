"""NumPy arrays from pandas tables, lists and tensors."""

import sys
from types import ModuleType

import numpy as np
import numpy.typing as npt

from tfcourse.data.precision import check_whole_numbers
from tfcourse.errors import InputError
from tfcourse.types import DataFrame, Series, TensorLike

__all__ = ["as_array", "as_examples", "is_scipy_sparse"]


def as_array(value: TensorLike, name: str) -> npt.NDArray[np.generic]:
    """Convert array-like data to a NumPy array; a table becomes an array of one number type.

    As in Keras, the columns of a ``DataFrame`` may differ in type: bool, whole numbers, floats,
    nullable types, categories that are numbers. The result has the type that holds them all. A
    table of text alone stays text, for models that begin with a ``StringLookup``.

    Args:
        value: A pandas ``DataFrame`` or ``Series``, or anything that NumPy converts.
        name: The name of the argument, for error messages.

    Raises:
        InputError: A column of a table is not numeric, or a nullable one lacks a value, or holds
            whole numbers that are to be floats and would merge; or ``value`` is a SciPy sparse
            matrix.
    """
    if is_scipy_sparse(value):
        raise InputError(
            f"{name} is a SciPy sparse matrix of shape {value.shape}, which is not supported here. "
            "Make it a dense array with .toarray()."
        )
    # A table of pandas exists only where pandas has been imported.
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, pandas.DataFrame | pandas.Series):
        return _as_numpy(value, name)
    frame = value.to_frame() if isinstance(value, pandas.Series) else value
    array = _frame_to_array(frame, name, pandas)
    return array[:, 0] if isinstance(value, pandas.Series) else array


def _as_numpy(value: TensorLike, name: str) -> npt.NDArray[np.generic]:
    try:
        return np.asarray(value)
    except ValueError as error:
        if not isinstance(value, list | tuple):
            raise
        raise InputError(
            f"{name} is a {type(value).__name__} of lists of different lengths, which is no array. "
            "Pad them, as with keras.utils.pad_sequences."
        ) from error


def as_examples(value: TensorLike, name: str) -> npt.NDArray[np.generic]:
    """Convert as `as_array` does; a ``Series`` becomes a column, as in Keras."""
    array = as_array(value, name)
    pandas = sys.modules.get("pandas")
    series = pandas is not None and isinstance(value, pandas.Series)
    return array[:, None] if series else array


def is_scipy_sparse(value: object) -> bool:
    """Return whether the value is a SciPy sparse matrix or array."""
    return type(value).__module__.startswith("scipy.sparse") and hasattr(value, "tocsr")


def _frame_to_array(frame: DataFrame, name: str, pandas: ModuleType) -> npt.NDArray[np.generic]:
    types = set(frame.dtypes)
    if len(types) <= 1 and all(isinstance(t, np.dtype) and t.kind in "biufc" for t in types):
        array: npt.NDArray[np.generic] = frame.to_numpy()
        return array
    columns = [_without_wrapper(frame.iloc[:, i], pandas) for i in range(frame.shape[1])]
    if all(_is_text(column.dtype, pandas) for column in columns):
        text: npt.NDArray[np.generic] = frame.to_numpy(dtype=object)
        return text
    numeric = [_numeric(column, name, pandas) for column in columns]
    whole = np.empty(frame.shape, np.result_type(*(array.dtype for array in numeric)))
    for number, array in enumerate(numeric):
        if whole.dtype.kind == "f" and array.dtype.kind in "iu":
            check_whole_numbers([array], name, [f"the column {frame.columns[number]!r}"])
        whole[:, number] = array
    return whole


def _without_wrapper(column: Series, pandas: ModuleType) -> Series:
    """Return a column of categories or Python objects with the type of its values."""
    if isinstance(column.dtype, pandas.CategoricalDtype):
        return column.astype(column.cat.categories.dtype) if not column.hasnans else column
    return column.infer_objects() if column.dtype == object else column


def _is_text(dtype: object, pandas: ModuleType) -> bool:
    return pandas.api.types.is_object_dtype(dtype) or isinstance(dtype, pandas.StringDtype)


def _numeric(column: Series, name: str, pandas: ModuleType) -> npt.NDArray[np.generic]:
    """Return the values of a column as numbers, with NumPy's type of the same name."""
    dtype = column.dtype
    title = f"{name}: the column {column.name!r} is of type {dtype}"
    if not isinstance(dtype, np.dtype) and bool((missing := column.isna().to_numpy()).any()):
        rows = np.flatnonzero(missing)
        raise InputError(
            f"{title} and lacks a value in {len(rows)} of {len(column)} rows, first at index "
            f"{rows[0]}. Fill the values (fillna) or drop the rows (dropna)."
        )
    if pandas.api.types.is_numeric_dtype(dtype):
        # Nullable and Arrow types have the first, sparse ones the second.
        plain = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))
        array: npt.NDArray[np.generic] = column.to_numpy(dtype=plain)
        return array
    if _is_text(dtype, pandas):
        try:
            numbers: npt.NDArray[np.generic] = column.to_numpy(dtype=np.float64)
            return numbers
        except (TypeError, ValueError):
            way = "Encode it, as with pandas.get_dummies, or drop it"
    elif dtype.kind in "mM":
        way = "Make numbers of it, such as the days since a date: (column - date).dt.days"
    else:
        way = "Convert it with .astype, or drop it"
    raise InputError(f"{title}, but must hold numbers. {way}.")
