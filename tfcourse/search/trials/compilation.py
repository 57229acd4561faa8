"""A config's loss and metrics as ``compile`` takes them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras

from tfcourse.losses import SmoothedCrossentropy
from tfcourse.search.config.metrics import METRICS, Targets
from tfcourse.search.config.outputs import training_outputs
from tfcourse.search.config.parts import Objects, resolve_loss, resolve_metric
from tfcourse.search.config.schedules import is_smoothed
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.tables import TrainingTable
from tfcourse.types import LossLike, MetricLike

__all__ = ["compile_options", "create_loss", "keras_metrics"]


def create_loss(config: SearchConfig) -> LossLike | dict[str, LossLike]:
    """Return the loss for ``compile``, or a dict of them by output.

    One that is smoothed has no smoothing yet, which a training may set.
    """
    loss = config.training.loss
    if is_smoothed(config) and isinstance(loss, str):
        return SmoothedCrossentropy(loss)
    losses = {
        output.name: resolve_loss(output.loss, config.objects)
        for output in config.outputs
        if output.loss is not None
    }
    return losses if isinstance(loss, Mapping) else losses[""]


def compile_options(config: SearchConfig) -> dict[str, Any]:
    """Return the arguments of ``compile`` besides the optimizer."""
    loss, weights = create_loss(config), config.training.loss_weights
    has_weighted = any(output.weighted_metrics for output in config.outputs)
    if weights is not None and isinstance(loss, Mapping):  # Keras needs one for each
        weights = {name: weights.get(name, 1.0) for name in loss}
    return {
        "loss": loss,
        "loss_weights": weights,
        "metrics": keras_metrics(config.training, config.objects),
        "weighted_metrics": keras_metrics(config.training, config.objects, weighted=True)
        if has_weighted
        else None,
    }


def keras_metrics(
    training: TrainingTable, objects: Objects = MappingProxyType({}), weighted: bool = False
) -> list[MetricLike] | dict[str, list[MetricLike]]:
    """Return the metrics for ``compile``, each with its name in the config; a dict by output.

    Args:
        training: ``[training]``.
        objects: The objects that `tfcourse.Search` was passed.
        weighted: True for ``weighted_metrics``.
    """
    metrics = {
        output.name: [
            _metric(entry, output.targets, objects)
            for entry in (output.weighted_metrics if weighted else output.metrics)
        ]
        for output in training_outputs(training)
    }
    return metrics if isinstance(training.loss, Mapping) else metrics[""]


def _metric(entry: str, targets: Targets | None, objects: Objects) -> MetricLike:
    if entry == "f1_score":
        # Keras takes the class with the largest output; a single output needs a threshold.
        threshold = 0.5 if targets == "binary" else None
        return keras.metrics.F1Score(average="macro", threshold=threshold, name=entry)
    return entry if entry in METRICS else resolve_metric(entry, objects)
