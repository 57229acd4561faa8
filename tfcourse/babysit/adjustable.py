"""The hyperparameters of a compiled model that are variables: they change without a new program."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import keras
import numpy as np

from tfcourse.internals.layers import flatten_layers
from tfcourse.internals.optimizers import learning_rate_source
from tfcourse.layers.dropout import Dropout
from tfcourse.optimizers.base import CourseOptimizer
from tfcourse.optimizers.schedule import TrainingSchedule, base_rate, schedule_of, set_base_rate
from tfcourse.types import KerasModel, Optimizer

__all__ = ["AdjustableHyperparameters"]


class _Adjustable(NamedTuple):
    """A hyperparameter's value, and a function that sets it."""

    read: Callable[[], float]
    assign: Callable[[float], None]


class AdjustableHyperparameters:
    """The hyperparameters of a model that can be changed between two steps of a training.

    These are all of tfcourse's optimizers; of Keras's the learning rate; α₀, the decay rate and the
    warm-up of a `TrainingSchedule`; and the rate of tfcourse's ``Dropout`` layers if all have the
    same.

    Args:
        model: A compiled model.
    """

    def __init__(self, model: KerasModel) -> None:
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        self._by_name = _of_optimizer(optimizer)
        # No variable of the model, and so not in its checkpoints.
        self._dropouts = [x for x in flatten_layers(model) if isinstance(x, Dropout)]
        if len({layer.rate for layer in self._dropouts}) == 1:
            first = self._dropouts[0]
            self._by_name["dropout"] = _Adjustable(lambda: first.rate, self._assign_dropout)

    def read(self) -> dict[str, float]:
        """Return the present values by name."""
        return {name: hyperparameter.read() for name, hyperparameter in self._by_name.items()}

    def assign(self, values: Mapping[str, float]) -> None:
        """Set some of them."""
        for name, value in values.items():
            self._by_name[name].assign(value)

    def restore(self, values: Mapping[str, float]) -> None:
        """Set those that a checkpoint does not restore."""
        if "dropout" in self._by_name and self._by_name["dropout"].read() != values["dropout"]:
            self._assign_dropout(values["dropout"])

    def _assign_dropout(self, value: float) -> None:
        for layer in self._dropouts:
            layer.rate = value


def _of_optimizer(optimizer: Optimizer) -> dict[str, _Adjustable]:
    by_name: dict[str, _Adjustable] = {}
    schedule = schedule_of(optimizer)
    if schedule is not None or isinstance(learning_rate_source(optimizer), keras.Variable):
        by_name["learning_rate"] = _Adjustable(
            lambda: _shortest(base_rate(optimizer), learning_rate_source(optimizer)),
            lambda value: set_base_rate(optimizer, value),
        )
    if schedule is not None:
        for name in ("warmup", "decay_rate"):
            by_name[name] = _of_schedule(schedule, name)
    if isinstance(optimizer, CourseOptimizer):
        for name in optimizer.hyperparameters:
            assign = partial(setattr, optimizer, name)
            by_name[name] = _Adjustable(partial(getattr, optimizer, name), assign)
    return by_name


def _of_schedule(schedule: TrainingSchedule, name: str) -> _Adjustable:
    variable = schedule.parameters[name]
    return _Adjustable(
        lambda: float(variable.numpy()), lambda value: schedule.assign(**{name: value})
    )


def _shortest(value: float, source: object) -> float:
    """Return the shortest number that is the same in the type of a variable: 0.001 in float32."""
    dtype = getattr(source, "dtype", "float64")
    return float(str(np.asarray(value).astype(dtype)))
