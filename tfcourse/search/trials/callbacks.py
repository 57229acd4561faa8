"""How a trial's training ends: early, at what is not finite, and with its best weights."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from tfcourse.search.config.load import SearchConfig
from tfcourse.search.config.metrics import direction_of
from tfcourse.training.programs.state import values_of

__all__ = ["all_finite", "early_stopping", "trial_callbacks"]


def trial_callbacks(config: SearchConfig) -> list[Any]:
    """Keeps the weights of the best epoch, and stops early if the config asks for it."""
    callbacks = [_BestWeights(config.search.objective, config.direction), _StopIfNotFinite()]
    stop = early_stopping(config)
    return callbacks if stop is None else [*callbacks, stop]


def early_stopping(config: SearchConfig) -> Any:
    """Keras's ``EarlyStopping`` as the config asks for it; None if it does not."""
    objective, asked = config.search.objective, config.training.early_stopping
    if asked is None:
        return None
    monitor = asked.monitor or objective
    return keras.callbacks.EarlyStopping(
        monitor,
        mode=config.direction if monitor == objective else direction_of(monitor),
        patience=asked.patience,
        min_delta=asked.min_delta,
        start_from_epoch=asked.start_from_epoch,
    )


def all_finite(logs: Mapping[str, float]) -> bool:
    """Whether a trial is still to be trained: `judge` fails one that had any other number."""
    return all(math.isfinite(value) for value in logs.values())


class _StopIfNotFinite(keras.callbacks.Callback):
    """Ends a training at the end of an epoch that had a NaN or infinity, as after the last step."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if not all_finite(logs or {}):
            self.model.stop_training = True


class _BestWeights(keras.callbacks.Callback):
    """Leaves the model with the weights of its best epoch, kept in memory until the end.

    Keras's ``EarlyStopping`` does the same, and takes as long over it as some epochs do.
    """

    def __init__(self, objective: str, direction: str) -> None:
        super().__init__()
        self.objective, self.sign = objective, 1 if direction == "max" else -1
        self.best = -math.inf
        self.weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        value = self.sign * (logs or {})[self.objective]
        if value > self.best or self.weights is None:
            self.best = -math.inf if math.isnan(value) else value
            self.weights = [value.numpy() for value in values_of(self.model.weights)]

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        assert self.weights is not None
        for weight, best in zip(self.model.weights, self.weights, strict=True):
            weight.value.assign(best, read_value=False)
