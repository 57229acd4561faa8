"""Examples as a search's data has them, as the inputs of its best model."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfcourse.data.frames import as_array
from tfcourse.errors import InputError, shown
from tfcourse.search.trials.feeding import LARGEST_BATCH
from tfcourse.search.trials.table_inputs import input_name
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
    # A csv is read without blanks around its names.
    columns = {str(name).strip(): x[name] for name in x} if has_names else {}
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


def _values(column: TensorLike, name: str, dtype: str) -> Array:
    """Return a column as a model takes it: "" for a missing text, the days since 1970 for a date.

    Args:
        column: The values.
        name: The input's name.
        dtype: The input's type.
    """
    values = np.asarray(column)
    if dtype == "string":
        texts = ["" if value is None or value != value else str(value) for value in values.flat]
        return np.array(texts, dtype=object).reshape(values.shape)
    if values.dtype.kind == "M":
        days = (values - np.datetime64(0, "D")) / np.timedelta64(1, "D")
        return np.asarray(days, dtype)
    array: Array = as_array(column, f"x[{name!r}]")
    return array.astype(dtype) if array.dtype == bool else array
