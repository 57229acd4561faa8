"""Checks of the metrics of a model: they must compare y with its outputs as they are."""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import keras
import numpy as np

from tfcourse.errors import InputError, warn
from tfcourse.internals.models import averaged_function
from tfcourse.training.data.target_shapes import NUMBER_BY_NUMBER, check_same_shape
from tfcourse.types import KerasTensor, Metric, Tensor

__all__ = ["check_metric"]

# Keras's functions and classes of metrics that compare y with the output number by number.
FUNCTIONS = {*NUMBER_BY_NUMBER, "binary_accuracy", "categorical_accuracy"}
CLASSES = (
    keras.metrics.RootMeanSquaredError,
    keras.metrics.R2Score,
    keras.metrics.AUC,
    keras.metrics.Precision,
    keras.metrics.Recall,
    keras.metrics.FBetaScore,
)
# The number of examples that a metric of the user's is tried on.
TRIAL_ROWS = 4


def check_metric(
    name: str, metric: Metric, target: Tensor, output: KerasTensor, values: bool
) -> None:
    """Check that a metric can compare targets with an output.

    A function of the user's own is tried on a few examples.

    Args:
        name: What the target is called in messages.
        metric: A metric as ``compile`` takes it.
        target: The targets, or symbols of a batch.
        output: The symbol of the model's output.
        values: Whether the targets can be looked at.

    Raises:
        InputError: A metric of Keras's can't.

    Warns:
        UserWarning: The user's own function gives another value than for y of the output's shape.
    """
    metric = _named(metric) if isinstance(metric, str) else metric
    if isinstance(metric, keras.Metric) and not type(metric).__module__.startswith("keras."):
        return  # a subclass of the user's may change what it compares
    if isinstance(metric, keras.metrics.FBetaScore):
        _check_columns(name, metric, target, output)
    if isinstance(metric, CLASSES) or _keras_function(metric) in FUNCTIONS:
        compares = f'the metric "{_name(metric)}"'
        check_same_shape(name, compares, tuple(target.shape), tuple(output.shape))
    elif inspect.isfunction(metric) and values and tuple(output.shape[1:]) == (1,):
        _try(name, metric, target)


@lru_cache
def _named(name: str) -> Any:
    """Return the metric or function of a name; None if it depends on the data."""
    if name.lower() in ("accuracy", "acc"):
        return None
    try:
        return keras.metrics.get(name)
    except ValueError:  # "crossentropy", or a name that Keras will refuse
        return None


def _keras_function(metric: Metric) -> str | None:
    """Return the name of Keras's function that a metric averages; None if it is another's."""
    function = averaged_function(metric)
    of_keras = getattr(function, "__module__", "").startswith("keras.")
    return getattr(function, "__name__", None) if of_keras else None


def _name(metric: Metric | Callable[..., Any]) -> str:
    return str(getattr(metric, "name", getattr(metric, "__name__", metric)))


def _check_columns(name: str, metric: Metric, target: Tensor, output: KerasTensor) -> None:
    shape, columns = tuple(target.shape), output.shape[-1]
    if len(shape) == 2 or len(output.shape) != 2:
        return
    way = "y[:, None]" if columns == 1 else f"keras.utils.to_categorical(y, {columns})"
    raise InputError(
        f'{name} has shape {shape}, the metric "{_name(metric)}" takes one column for each of the '
        f"model's outputs, (None, {columns}). Pass {way}."
    )


def _try(name: str, function: Callable[..., Any], target: Tensor) -> None:
    """Compare a function's values for y of shape (n,) and for y of the output's shape (n, 1)."""
    if len(target.shape) != 1 or target.shape[0] < 2:
        return
    rows = np.asarray(target[:TRIAL_ROWS])
    outputs = np.linspace(0.2, 0.8, len(rows), dtype=keras.config.floatx())[:, None]
    try:
        spread, paired, again = (
            float(np.mean(function(*map(keras.ops.convert_to_tensor, (y, outputs)))))
            for y in (rows, rows[:, None], rows[:, None])
        )
    except Exception:  # it may need a whole batch, or a graph
        return
    same = paired == again or (np.isnan(paired) and np.isnan(again))
    if same and not np.isclose(spread, paired, equal_nan=True):  # not one with random numbers
        warn(
            f"{name} has shape {tuple(target.shape)}, the model's output (None, 1), and the metric "
            f'"{_name(function)}" spreads one over the other: of {len(rows)} examples it made '
            f"{spread:.4g} instead of {paired:.4g}. Pass y[:, None].",
        )
