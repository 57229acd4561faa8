"""Examples as a search's data has them, as the inputs of its best model."""

import sys
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfcourse.data.frames import as_array
from tfcourse.data.tables.columns import input_name
from tfcourse.data.tables.frames import arrow_columns, arrow_values, is_frame, is_pandas
from tfcourse.errors import InputError, shown
from tfcourse.search.trials.feeding import LARGEST_BATCH
from tfcourse.types import Array, DataFrame, KerasModel, TensorLike, TrainingData

__all__ = ["model_inputs"]


def model_inputs(
    model: KerasModel, x: TrainingData | DataFrame, features: Sequence[str] | None
) -> TrainingData:
    """Return examples as Keras takes them, without the loss of digits that a model can use.

    Args:
        model: The model.
        x: The examples.
        features: The columns of x in the order of the model; None if they have no names.

    Raises:
        InputError: A column or an input is missing.
    """
    if isinstance(x, tf.data.Dataset):
        return x
    # A Sequential has no structure, nor has a subclassed model that was never called.
    inputs = getattr(model, "input", None)
    has_names = isinstance(x, Mapping) or hasattr(x, "columns")
    columns = _columns(x) if has_names else {}
    if isinstance(inputs, Mapping):
        columns = {input_name(name): column for name, column in columns.items()}
        _check_names(columns, inputs)
        x = {name: _values(columns[name], name, str(inputs[name].dtype)) for name in inputs}
    elif has_names and features is not None:
        _check_names(columns, features)
        x = np.stack([as_array(columns[name], f"x[{name!r}]") for name in features], axis=1)
    elif not isinstance(x, Mapping):
        x = as_array(x, "x")
    if {str(entry.dtype) for entry in model.inputs or ()} & {"float64", "string"}:
        # Keras makes float32 of arrays of float64 before any layer sees them, and takes texts
        # among other inputs only in a dataset.
        return tf.data.Dataset.from_tensor_slices(x).batch(LARGEST_BATCH)
    return x


def _check_names(received: Collection[str], names: Collection[str]) -> None:
    missing = [name for name in names if name not in received]
    if missing:
        raise InputError(
            f"x must have the columns {shown(list(names))}. Missing: {shown(missing)}."
        )


def _columns(x: TrainingData | DataFrame) -> dict[str, TensorLike]:
    """Return the columns of a table by name, or the arrays of a dict."""
    if isinstance(x, Mapping) or is_pandas(x) or not is_frame(x):
        # A csv is read without blanks around its names.
        return {str(name).strip(): x[name] for name in x}
    return {name: values.to_numpy() for name, values in arrow_columns(x, "x").items()}


def _values(column: TensorLike, name: str, dtype: str) -> Array:
    """Return a column as a model takes it: "" for a missing text, the days since 1970 for a date.

    Args:
        column: The values.
        name: The input's name.
        dtype: The input's type.
    """
    values = np.asarray(column)
    if dtype == "string":
        return _texts(values, name)
    if values.dtype.kind == "M":
        days = (values - np.datetime64(0, "D")) / np.timedelta64(1, "D")
        return np.asarray(days, dtype)
    if values.dtype == object and (missing := _missing(values)).any():
        column = np.where(missing, np.nan, values)
        column = column.astype(dtype) if _are_numbers(column) else column
    is_number = values.dtype.kind in "biuf"  # also of a nullable column that lacks some
    array: Array = values if is_number else as_array(column, f"x[{name!r}]")
    return array.astype(dtype) if array.dtype == bool else array


def _missing(values: Array) -> npt.NDArray[np.bool_]:
    """Return which objects are missing values."""
    pandas = sys.modules.get("pandas")
    if pandas is not None:  # it has a missing value of its own, which is not to be compared
        return np.asarray(pandas.isna(values))
    missing = [value is None or value != value for value in values.flat]
    return np.array(missing, np.bool_).reshape(values.shape)


def _are_numbers(values: Array) -> bool:
    return all(isinstance(value, int | float | np.number) for value in values.flat)


def _texts(values: Array, name: str) -> Array:
    """Return the texts of categories as a table has them: of a number 7.0 "7", of True "true"."""
    if values.dtype.kind in "fbM" or (values.dtype == object and not _are_texts(values)):
        texts = arrow_values(np.ravel(values), f"x[{name!r}]").cast("string").to_pylist()
        return np.array([text or "" for text in texts], object).reshape(values.shape)
    if values.dtype != object:
        return values.astype(np.str_).astype(object)
    return np.where(_missing(values), "", values).astype(object)


def _are_texts(values: Array) -> bool:
    present = values[~_missing(values)]
    return all(isinstance(value, str) for value in present.flat)
