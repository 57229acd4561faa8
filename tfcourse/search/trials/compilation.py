"""A config's loss and metrics as ``compile`` takes them."""

from types import MappingProxyType

import keras

from tfcourse.losses import SmoothedCrossentropy
from tfcourse.search.config.metrics import METRICS, targets_of_loss
from tfcourse.search.config.parts import Objects, resolve_loss, resolve_metric
from tfcourse.search.config.schedules import is_smoothed
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.tables import TrainingTable
from tfcourse.types import LossLike, MetricLike

__all__ = ["create_loss", "keras_metrics"]


def create_loss(config: SearchConfig) -> LossLike:
    """Return the loss for ``compile``: one without smoothing, which a training may set."""
    if is_smoothed(config):
        return SmoothedCrossentropy(config.training.loss)
    return resolve_loss(config.training.loss, config.objects)


def keras_metrics(
    training: TrainingTable, objects: Objects = MappingProxyType({})
) -> list[MetricLike]:
    """Return the metrics for ``compile``, each with its name in the config.

    Args:
        training: ``[training]``.
        objects: The objects that `tfcourse.Search` was passed.
    """
    return [_metric(entry, training, objects) for entry in training.metrics]


def _metric(entry: str, training: TrainingTable, objects: Objects) -> MetricLike:
    if entry == "f1_score":
        # Keras takes the class with the largest output; a single output needs a threshold.
        targets = training.targets or targets_of_loss(training.loss)
        threshold = 0.5 if targets == "binary" else None
        return keras.metrics.F1Score(average="macro", threshold=threshold, name=entry)
    return entry if entry in METRICS else resolve_metric(entry, objects)
