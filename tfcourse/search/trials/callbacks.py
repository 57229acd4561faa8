"""The callbacks of a trial's training: its end, and the weights that its model has after it."""

import math
from collections.abc import Mapping

import keras

from tfcourse.search.config.callbacks import adds_to_logs
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.score_at import BEST
from tfcourse.search.strategies.pruning import TrialLimits
from tfcourse.search.trials.history_names import RequiredNames
from tfcourse.training.early_stopping import EarlyStopping, Objective
from tfcourse.training.non_finite.rule import logs_fault
from tfcourse.training.programs.state import values_of
from tfcourse.types import Array, Callback, KerasModel

__all__ = ["BestWeights", "early_stopping", "trial_callbacks"]


def trial_callbacks(config: SearchConfig, limits: TrialLimits | None = None) -> list[Callback]:
    """Return callbacks that restore the best weights, and stop early if the config says so.

    If the score is that of the last epochs, the model keeps the weights of the last one.

    Args:
        config: The search.
        limits: The limits below which the trial is pruned; None if there are none.
    """
    callbacks: list[Callback] = [_StopIfNotFinite()]
    if config.search.score_at == BEST:
        callbacks.insert(0, BestWeights(Objective(config.search.objective, config.direction)))
    if adds_to_logs(config.training) and config.builder.fit is None:
        callbacks.append(RequiredNames(config))
    if limits is not None:
        callbacks.append(_EndIfBehind(limits))
    rule = early_stopping(config)
    if rule is None:
        return callbacks
    stop = keras.callbacks.EarlyStopping(
        rule.objective.name,
        mode=rule.objective.direction,
        patience=rule.patience,
        min_delta=rule.objective.min_delta,
        start_from_epoch=rule.start_from_epoch,
    )
    return [*callbacks, stop]


def early_stopping(config: SearchConfig) -> EarlyStopping | None:
    """Return the rule of ``[training.early_stopping]``; None without that table."""
    objective, table = config.search.objective, config.training.early_stopping
    if table is None:
        return None
    monitor = table.monitor or objective
    direction = config.direction if monitor == objective else config.direction_of(monitor)
    assert direction is not None  # checked with the config
    return EarlyStopping(
        Objective(monitor, direction, table.min_delta), table.patience, table.start_from_epoch
    )


class _StopIfNotFinite(keras.callbacks.Callback):
    """A callback that ends a training after an epoch whose logs have a NaN or infinity."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if logs_fault(epoch, logs or {}) is not None:
            self.model.stop_training = True


class _EndIfBehind(keras.callbacks.Callback):
    """A callback that ends a training after an epoch at which its trial is pruned.

    Args:
        limits: The limits of the trial.
    """

    def __init__(self, limits: TrialLimits) -> None:
        super().__init__()
        self.limits = limits
        self.scores: list[float] = []  # trials' checkpoints hold them

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if self.limits.objective not in (logs := logs or {}):
            return  # of a loop of the user's own
        self.scores.append(float(logs[self.limits.objective]))
        if self.limits.verdict(self.scores) is not None:
            self.model.stop_training = True


class BestWeights(keras.callbacks.Callback):
    """A callback that restores the weights of the best epoch, kept in memory until the end.

    Keras's ``EarlyStopping`` does the same, and takes as long for it as some epochs do.
    """

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective
        self.best = -math.inf  # signed, so that more is better; trials' checkpoints hold it
        self.weights: list[Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keep the weights if the epoch is the best so far."""
        if self.objective.name not in (logs := logs or {}):
            return  # of a loop of the user's own
        value, sign = logs[self.objective.name], self.objective.sign
        improved = self.objective.improves(value, sign * self.best)
        if improved or self.weights is None:
            self.best = sign * value if improved else -math.inf
            self.weights = [value.numpy() for value in values_of(self.model.weights)]

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Restore the weights of the best epoch."""
        self.restore(self.model)

    def restore(self, model: KerasModel) -> None:
        """Set the weights of the best epoch, if there was one."""
        if self.weights is None:
            return
        for weight, best in zip(model.weights, self.weights, strict=True):
            weight.value.assign(best, read_value=False)
