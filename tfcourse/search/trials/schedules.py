"""A trial's learning-rate schedule and label smoothing, which are set when its training begins.

Both are variables of its compiled model: trials that differ in them share one program.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from tfcourse.hyperparameters import OPTIMIZERS, SCHEDULE_ARGUMENTS
from tfcourse.losses import smoothed_loss
from tfcourse.optimizers.schedule import TrainingSchedule, schedule_of
from tfcourse.search.config import optimizers
from tfcourse.search.config.schedules import is_scheduled, is_smoothed, training_value
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.trials.feeding import Examples
from tfcourse.types import Callback, Hyperparameters, LearningRate, Optimizer

__all__ = [
    "assign_schedule",
    "create_optimizer",
    "schedule_callbacks",
    "schedule_parameters",
    "smoothing_of",
]


def create_optimizer(name: str, scheduled: bool, hyperparameters: Mapping[str, Any]) -> Optimizer:
    """Return an optimizer, with a constant `TrainingSchedule` of its learning rate if scheduled."""
    if not scheduled:
        return optimizers.create(name, **hyperparameters)
    rate = hyperparameters.get("learning_rate")
    rate = _default_rate(name) if rate is None else rate
    schedule: LearningRate = TrainingSchedule(rate)
    return optimizers.create(name, **{**hyperparameters, "learning_rate": schedule})


def _default_rate(name: str) -> float:
    constructor = inspect.signature(OPTIMIZERS[name].load())
    return float(constructor.parameters["learning_rate"].default)


def schedule_parameters(
    config: SearchConfig, values: Hyperparameters, train: Examples
) -> dict[str, float | str]:
    """Return the parameters of a trial's `TrainingSchedule`; none if the config has no schedule.

    It is the schedule of all of the trial's epochs, also where early stopping may end it before.

    Args:
        config: The search.
        values: The trial's hyperparameters.
        train: The training data.
    """
    if not is_scheduled(config):
        return {}
    parameters = {name: training_value(config, values, name) for name in SCHEDULE_ARGUMENTS}
    present = {name: value for name, value in parameters.items() if value is not None}
    epochs = int(values.get("epochs", config.training.epochs))
    of_epoch = train.batches(int(values.get("batch_size", config.training.batch_size)))
    return {**present, "steps": epochs * of_epoch, "steps_per_epoch": of_epoch}


def smoothing_of(config: SearchConfig, values: Hyperparameters) -> float | None:
    """Return a trial's label smoothing; None if the config has none."""
    if not is_smoothed(config):
        return None
    return float(training_value(config, values, "label_smoothing") or 0.0)


def assign_schedule(optimizer: Optimizer, parameters: Mapping[str, float | str]) -> None:
    """Set the parameters of an optimizer's `TrainingSchedule`."""
    schedule = schedule_of(optimizer)
    if schedule is not None:
        schedule.assign(**parameters)


def schedule_callbacks(
    config: SearchConfig, values: Hyperparameters, train: Examples
) -> list[Callback]:
    """Return callbacks that set a trial's schedule and its label smoothing in the training."""
    parameters = schedule_parameters(config, values, train)
    smoothing = smoothing_of(config, values)
    callbacks: list[Callback] = [_Schedule(parameters)] if parameters else []
    return callbacks if smoothing is None else [*callbacks, _Smoothing(smoothing)]


class _Schedule(keras.callbacks.Callback):
    """A callback that sets the schedule's parameters before the first step."""

    def __init__(self, parameters: Mapping[str, float | str]) -> None:
        super().__init__()
        self.parameters = dict(parameters)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        assign_schedule(self.model.optimizer, self.parameters)


class _Smoothing(keras.callbacks.Callback):
    """A callback that smooths the labels in the training, and not in the validation.

    The objective must be the same for all trials: with smoothing, ``val_loss`` would measure
    another thing in each. A model's own loss is left alone.
    """

    def __init__(self, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing

    def _assign(self, value: float) -> None:
        loss = smoothed_loss(self.model)
        if loss is not None:
            loss.label_smoothing = value

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        self._assign(self.smoothing)

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        self._assign(0.0)

    def on_test_end(self, logs: Mapping[str, float] | None = None) -> None:
        self._assign(self.smoothing)

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        self._assign(0.0)
