"""The check of one's own loss, metrics and callbacks before any training."""

import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from tfcourse.data.splits import Split
from tfcourse.errors import InputError, error_text
from tfcourse.search.config.outputs import Output
from tfcourse.search.config.parts import is_own
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.trials.compilation import create_loss, keras_metrics
from tfcourse.search.trials.own_callbacks import TrialPlace, check_callbacks
from tfcourse.types import Hyperparameters, KerasModel, Tensor

__all__ = ["check_own_training"]

# The examples of the check; a prime, so that it is rarely the length of another axis.
ROWS = 7


def check_own_training(
    config: SearchConfig, model: KerasModel, split: Split, values: Hyperparameters
) -> None:
    """Call one's own loss and metrics on a few examples, and make the callbacks.

    Args:
        config: The search.
        model: The first model.
        split: The data.
        values: The model's hyperparameters.

    Raises:
        InputError: One of them fails, or is not what it must be.
    """
    try:
        _check_parts(config, model, split)
        if config.training.callbacks:
            with tempfile.TemporaryDirectory() as folder:
                check_callbacks(config, model, TrialPlace(0, values, Path(folder)))
    except InputError as error:
        raise InputError(f"{config.origin}: [training] {error}") from error


def _check_parts(config: SearchConfig, model: KerasModel, split: Split) -> None:
    """Refuse a loss that gives other than a number for each example, and a metric that gives other
    than one number.
    """
    if not any(output.has_own for output in config.outputs):
        return
    rows = split.train.rows(slice(ROWS))
    predictions = model(
        keras.tree.map_structure(keras.ops.convert_to_tensor, rows.x), training=False
    )
    losses: Any = create_loss(config)
    metrics: Any = keras_metrics(config.training, config.objects)
    for output in config.outputs:
        name = output.name
        of_output = (each[name] if name else each for each in (rows.y, predictions, metrics))
        y, y_pred, its_metrics = of_output
        loss = losses.get(name) if isinstance(losses, Mapping) else losses
        _check_output(output, loss, its_metrics, keras.ops.convert_to_tensor(y), y_pred)


def _check_output(output: Output, loss: Any, metrics: Any, y: Tensor, predictions: Tensor) -> None:
    """Call the loss and the metrics of an output that are one's own."""
    shapes = f"y_true of shape {tuple(y.shape)} and y_pred of shape {tuple(predictions.shape)}"
    count, entry = int(y.shape[0]), output.loss
    if entry is not None and is_own(entry):
        function: Any = loss.call if isinstance(loss, keras.losses.Loss) else loss
        value = _call(f'loss: "{entry}"', function, y, predictions, shapes)
        if value.shape not in [(), *((count, *value.shape[1:]),) * bool(value.shape)]:
            raise InputError(
                f'loss: "{entry}" must give a number for each example, or one for all. Received: '
                f"shape {tuple(value.shape)} for {shapes}. Average over the last axis (axis=-1)."
            )
    for metric_entry, metric in zip(output.metrics, metrics, strict=True):
        if not is_own(metric_entry):
            continue
        value = _call(f'metrics: "{metric_entry}"', metric, y, predictions, shapes)
        if value.shape != ():
            raise InputError(
                f'metrics: "{metric_entry}" must give one number. Received: shape '
                f"{tuple(value.shape)} for {shapes}."
            )


def _call(
    name: str, function: Callable[[Any, Any], Any], y: Tensor, predictions: Tensor, shapes: str
) -> Tensor:
    """Return the result of a loss or metric as a tensor; raise InputError if that fails."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of logits that are none, which the preflight refuses
            return keras.ops.convert_to_tensor(function(y, predictions))
    except Exception as error:
        raise InputError(f"{name} failed for {shapes}: {error_text(error)}") from error
