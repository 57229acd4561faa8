"""A config's metrics as Keras's objects."""

from typing import Any

import keras

from tfcourse.imports import load_function
from tfcourse.search.config.metrics import LOSSES
from tfcourse.search.config.tables import TrainingTable

__all__ = ["keras_metrics"]


def keras_metrics(training: TrainingTable) -> list[Any]:
    """The metrics as ``compile`` takes them; they have their names in the config."""
    return [_metric(name, training) for name in training.metrics]


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
