"""The check of one's own loss, metrics and callbacks before any training."""

import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from tfcourse.data.splits import Split
from tfcourse.errors import InputError, error_text
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
    weighted: Any = keras_metrics(config.training, config.objects, weighted=True)
    for output in config.outputs:
        name, parts = output.name, (rows.y, predictions, metrics, weighted)
        y, y_pred, *its_metrics = (each[name] if name else each for each in parts)
        loss = losses.get(name) if isinstance(losses, Mapping) else losses
        sides: tuple[Tensor, ...] = (keras.ops.convert_to_tensor(y), y_pred)
        _check_loss(output.loss, loss, sides)
        _check_metrics("metrics", output.metrics, its_metrics[0], sides)
        sides = (*sides, keras.ops.ones(y.shape[:1]))
        _check_metrics("weighted_metrics", output.weighted_metrics, its_metrics[1], sides)


def _check_loss(entry: str | None, loss: Any, sides: Sequence[Tensor]) -> None:
    """Call the loss of an output if it is one's own."""
    if entry is None or not is_own(entry):
        return
    count = int(sides[0].shape[0])
    function: Any = loss.call if isinstance(loss, keras.losses.Loss) else loss
    value = _call(f'loss: "{entry}"', function, sides)
    if value.shape not in [(), *((count, *value.shape[1:]),) * bool(value.shape)]:
        raise InputError(
            f'loss: "{entry}" must give a number for each example, or one for all. Received: '
            f"shape {tuple(value.shape)} for {_shapes(sides)}. Average over the last axis "
            "(axis=-1)."
        )


def _check_metrics(
    key: str, entries: Sequence[str], metrics: Iterable[Any], sides: Sequence[Tensor]
) -> None:
    """Call the metrics of an output that are one's own, weighted ones with a weight too."""
    for entry, metric in zip(entries, metrics, strict=True):
        if not is_own(entry):
            continue
        value = _call(f'{key}: "{entry}"', metric, sides)
        if value.shape != ():
            raise InputError(
                f'{key}: "{entry}" must give one number. Received: shape '
                f"{tuple(value.shape)} for {_shapes(sides)}."
            )


def _call(name: str, function: Callable[..., Any], sides: Sequence[Tensor]) -> Tensor:
    """Return the result of a loss or metric as a tensor; raise InputError if that fails."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of logits that are none, which the preflight refuses
            return keras.ops.convert_to_tensor(function(*sides))
    except Exception as error:
        raise InputError(f"{name} failed for {_shapes(sides)}: {error_text(error)}") from error


def _shapes(sides: Sequence[Tensor]) -> str:
    names = ("y_true", "y_pred", "sample_weight")
    texts = [f"{n} of shape {tuple(side.shape)}" for n, side in zip(names, sides, strict=False)]
    return " and ".join(texts)
