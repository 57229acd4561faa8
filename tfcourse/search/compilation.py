"""What a trial's model is compiled and trained with, as Keras's objects."""

from typing import Any

import keras

from tfcourse.imports import load_function
from tfcourse.search.config import SearchConfig
from tfcourse.search.metrics import LOSSES, direction_of
from tfcourse.search.tables import TrainingTable

__all__ = ["keras_metrics", "stopping_callbacks"]


def keras_metrics(training: TrainingTable) -> list[Any]:
    """The metrics as ``compile`` takes them; they have their names in the config."""
    return [_metric(name, training) for name in training.metrics]


def stopping_callbacks(config: SearchConfig, epochs: int) -> list[Any]:
    """What keeps the weights of the best epoch, and early stopping if the config asks for it."""
    objective, asked = config.search.objective, config.training.early_stopping
    best = keras.callbacks.EarlyStopping(
        objective,
        mode=config.direction,
        # It only keeps the best weights: the patience never ends.
        patience=epochs + 1,
        restore_best_weights=True,
    )
    if asked is None:
        return [best]
    monitor = asked.monitor or objective
    stop = keras.callbacks.EarlyStopping(
        monitor,
        mode=config.direction if monitor == objective else direction_of(monitor),
        patience=asked.patience,
        min_delta=asked.min_delta,
        start_from_epoch=asked.start_from_epoch,
    )
    return [best, stop]


def _metric(name: str, training: TrainingTable) -> Any:
    if name == "f1_score":
        # Keras gives a number a class; of a single output it takes the largest for the answer.
        threshold = 0.5 if LOSSES[training.loss] == "binary" else None
        return keras.metrics.F1Score(average="macro", threshold=threshold, name=name)
    if ":" not in name:
        return name
    own = load_function(name, "metrics")
    # Not a metric class itself: an instance of it, by the name that the config gives it.
    return own(name=name.rpartition(":")[2]) if isinstance(own, type) else own
