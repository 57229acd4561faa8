"""A config's metrics as ``compile`` takes them."""

import keras

from tfcourse.imports import load_function
from tfcourse.search.config.metrics import LOSSES
from tfcourse.search.config.tables import TrainingTable
from tfcourse.types import MetricLike

__all__ = ["keras_metrics"]


def keras_metrics(training: TrainingTable) -> list[MetricLike]:
    """Return the metrics for ``compile``, each with its name in the config."""
    return [_metric(name, training) for name in training.metrics]


def _metric(name: str, training: TrainingTable) -> MetricLike:
    if name == "f1_score":
        # Keras takes the class with the largest output; a single output needs a threshold.
        threshold = 0.5 if LOSSES[training.loss] == "binary" else None
        return keras.metrics.F1Score(average="macro", threshold=threshold, name=name)
    if ":" not in name:
        return name
    value = load_function(name, "metrics")
    # A class becomes an instance of it, with the name that the config gives it.
    metric: MetricLike = value(name=name.rpartition(":")[2]) if isinstance(value, type) else value
    return metric
