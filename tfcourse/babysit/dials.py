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

__all__ = ["Dials"]


class _Dial(NamedTuple):
    """A hyperparameter's value, and a function that sets it."""

    read: Callable[[], float]
    assign: Callable[[float], None]


class Dials:
    """The hyperparameters of a model that can be changed between two steps of a training.

    These are all of tfcourse's optimizers; of Keras's the learning rate; α₀, the decay rate and the
    warm-up of a `TrainingSchedule`; and the rate of tfcourse's ``Dropout`` layers.

    Args:
        model: A compiled model.
    """

    def __init__(self, model: KerasModel) -> None:
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        self._dials = _optimizer_dials(optimizer)
        # No variable of the model, and so not in its checkpoints.
        self._dropouts = [x for x in flatten_layers(model) if isinstance(x, Dropout)]
        if self._dropouts:
            self._dials["dropout"] = _Dial(lambda: self._dropouts[0].rate, self._assign_dropout)

    def read(self) -> dict[str, float]:
        """Return the present values by name."""
        return {name: dial.read() for name, dial in self._dials.items()}

    def assign(self, values: Mapping[str, float]) -> None:
        """Set some of them."""
        for name, value in values.items():
            self._dials[name].assign(value)

    def restore(self, values: Mapping[str, float]) -> None:
        """Set those that a checkpoint does not restore."""
        if "dropout" in self._dials and self._dials["dropout"].read() != values["dropout"]:
            self._assign_dropout(values["dropout"])

    def _assign_dropout(self, value: float) -> None:
        for layer in self._dropouts:
            layer.rate = value


def _optimizer_dials(optimizer: Optimizer) -> dict[str, _Dial]:
    dials: dict[str, _Dial] = {}
    schedule = schedule_of(optimizer)
    if schedule is not None or isinstance(learning_rate_source(optimizer), keras.Variable):
        dials["learning_rate"] = _Dial(
            lambda: _shortest(base_rate(optimizer), learning_rate_source(optimizer)),
            lambda value: set_base_rate(optimizer, value),
        )
    if schedule is not None:
        for name in ("warmup", "decay_rate"):
            dials[name] = _parameter_dial(schedule, name)
    if isinstance(optimizer, CourseOptimizer):
        for name in optimizer.hyperparameters:
            assign = partial(setattr, optimizer, name)
            dials[name] = _Dial(partial(getattr, optimizer, name), assign)
    return dials


def _parameter_dial(schedule: TrainingSchedule, name: str) -> _Dial:
    variable = schedule.parameters[name]
    return _Dial(lambda: float(variable.numpy()), lambda value: schedule.assign(**{name: value}))


def _shortest(value: float, source: object) -> float:
    """Return the shortest number that is the same in the type of a variable: 0.001 in float32."""
    dtype = getattr(source, "dtype", "float64")
    return float(str(np.asarray(value).astype(dtype)))
