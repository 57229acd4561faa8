"""Checks of a model's metrics and own losses: they must compare y with its outputs as they are.

Keras's metrics are known by their names, a user's own metrics and losses are tested on a few
examples; see `pairing`. Not tested are

- a loss that is a function: Keras gives y the rank of the output before it calls it;
- metrics and losses that can't be copied, and models whose outputs aren't known before the first
  step.
"""

import inspect
from functools import lru_cache
from typing import Any

import keras

from tfcourse.errors import InputError, warn
from tfcourse.internals.models import averaged_function
from tfcourse.training.data.pairing import Call, call_on_copy, find_broadcast
from tfcourse.training.data.target_shapes import NUMBER_BY_NUMBER, check_same_shape
from tfcourse.types import KerasTensor, Loss, Metric, MetricLike, Tensor

__all__ = ["check_loss", "check_metric"]

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


def check_metric(
    name: str, metric: MetricLike, target: Tensor, output: KerasTensor, values: bool
) -> None:
    """Check that a metric can compare targets with an output.

    A function or subclass of the user's own is tested on a few examples.

    Args:
        name: What the target is called in messages.
        metric: A metric as ``compile`` takes it.
        target: The targets, or symbols of a batch.
        output: The symbol of the model's output.
        values: Whether the targets can be looked at.

    Raises:
        InputError: A metric of Keras's can't.

    Warns:
        UserWarning: The user's own metric broadcasts y of shape (n,) against outputs (n, 1).
    """
    metric = _named(metric) if isinstance(metric, str) else metric
    if (inspect.isfunction(metric) or isinstance(metric, keras.Metric)) and _is_own(metric):
        if values:  # and no other check: a subclass of Keras's may change what it compares
            call = metric if inspect.isfunction(metric) else call_on_copy(metric)
            _warn_of_broadcast(name, f'the metric "{_name(metric)}"', call, target, output)
        return
    if isinstance(metric, keras.metrics.FBetaScore):
        _check_columns(name, metric, target, output)
    if isinstance(metric, CLASSES) or _keras_function(metric) in FUNCTIONS:
        compares = f'the metric "{_name(metric)}"'
        check_same_shape(name, compares, tuple(target.shape), tuple(output.shape))


def check_loss(name: str, loss: Loss, target: Tensor, output: KerasTensor) -> None:
    """Check that a loss of the user's own can compare targets with an output.

    Args:
        name: What the target is called in messages.
        loss: A loss as ``compile`` takes it.
        target: The targets.
        output: The symbol of the model's output.

    Warns:
        UserWarning: The loss broadcasts y of shape (n,) against outputs (n, 1).
    """
    if isinstance(loss, keras.losses.Loss) and _is_own(loss):
        _warn_of_broadcast(name, f'the loss "{loss.name}"', call_on_copy(loss), target, output)


@lru_cache
def _named(name: str) -> Any:
    """Return the metric or function of a name; None if it depends on the data."""
    if name.lower() in ("accuracy", "acc"):
        return None
    try:
        return keras.metrics.get(name)
    except ValueError:  # "crossentropy", or a name that Keras will refuse
        return None


def _keras_function(metric: MetricLike) -> str | None:
    """Return the name of Keras's function that a metric averages; None if it is another's."""
    function = averaged_function(metric)
    of_keras = getattr(function, "__module__", "").startswith("keras.")
    return getattr(function, "__name__", None) if of_keras else None


def _name(metric: object) -> str:
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


def _is_own(part: object) -> bool:
    """Return True for a function, or an object of a class, that is not Keras's nor tfcourse's."""
    definition = part if inspect.isfunction(part) else type(part)
    package = str(definition.__module__).partition(".")[0]
    return package not in ("keras", "tfcourse")


def _warn_of_broadcast(
    name: str, compares: str, call: Call, target: Tensor, output: KerasTensor
) -> None:
    """Warn if a user's metric or loss broadcasts y of shape (n,) against outputs (n, 1)."""
    values = find_broadcast(call, target) if tuple(output.shape[1:]) == (1,) else None
    if values is not None:
        warn(
            f"{name} has shape {tuple(target.shape)}, the model's output (None, 1), and {compares} "
            f"broadcasts them against each other: on {values.rows} examples it gives "
            f"{values.flat:.4g} instead of {values.column:.4g}. Pass y[:, None]."
        )
