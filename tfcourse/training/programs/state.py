"""All that training changes in a model: weights, seeds, optimizer and metrics."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from tfcourse.internals.tensorflow import allow_retracing, read_variables
from tfcourse.optimizers.schedule import schedule_variables
from tfcourse.training.programs.own_state import own_state
from tfcourse.training.programs.program_cache import same_objects
from tfcourse.training.programs.replicas import is_distributed
from tfcourse.training.programs.step import overrides
from tfcourse.types import KerasModel, Tensor, Variable

__all__ = ["MetricsReset", "StateCopier", "state_variables", "values_of"]


def state_variables(model: KerasModel, metrics: bool = True) -> list[Variable]:
    """Return all that training changes: Keras's variables, the model's own state, its metrics.

    Each is there once, in a fixed order; the list without the metrics is its first part.
    """
    variables = [
        *model.variables,
        *model.optimizer.variables,
        *schedule_variables(model.optimizer),
        *own_state(model, overrides(model, "train_step")),
    ]
    if metrics:
        variables += model.metrics_variables
    unique: dict[int, Any] = {}
    for variable in variables:
        unique.setdefault(id(variable.value), variable)
    return list(unique.values())


def values_of(variables: Sequence[Variable]) -> list[Tensor]:
    """Return the values of variables as tensors, in a fraction of the time that Keras takes."""
    return _reader([variable.value for variable in variables])()


def _reader(variables: Sequence[tf.Variable]) -> Callable[[], list[Tensor]]:
    """Return a function that reads the variables, in one operation where all are on one CPU."""
    handles = [variable.handle for variable in variables]
    dtypes = [variable.dtype for variable in variables]
    devices = {handle.device for handle in handles}
    if len(devices) == 1 and ":CPU:" in devices.pop():
        return partial(read_variables, handles, dtypes)
    pairs, read = list(zip(handles, dtypes, strict=True)), tf.raw_ops.ReadVariableOp
    return lambda: [read(resource=handle, dtype=dtype) for handle, dtype in pairs]


class StateCopier:
    """Copies of a model's whole state.

    A copy refers to the variables' buffers, which TensorFlow does not change while one does: it
    costs as much as reading, and nothing is traced for it.

    Args:
        model: A model with all its state built.
    """

    def __init__(self, model: KerasModel) -> None:
        self.variables = [variable.value for variable in state_variables(model)]
        self.without_metrics = len(state_variables(model, metrics=False))
        if is_distributed(model):  # its variables are read in one call that knows all replicas
            read = tf.function(lambda: [tf.identity(v) for v in self.variables], autograph=False)
            self._read = allow_retracing(read)  # each model has one
        else:
            self._read = _reader(self.variables)

    def copy(self) -> list[Tensor]:
        """Return the values of all variables."""
        return list(self._read())

    def assign(self, values: Sequence[Tensor], metrics: bool = True) -> None:
        """Set the variables to a copy, with or without the metrics' part of it."""
        count = len(self.variables) if metrics else self.without_metrics
        for variable, value in zip(self.variables[:count], values, strict=False):
            variable.assign(value)


class MetricsReset:
    """A reset of a model's metrics, for Keras's own in a fraction of the time that Keras takes.

    Args:
        model: A model whose metrics are built.
    """

    def __init__(self, model: KerasModel) -> None:
        self.model = model
        self.values: list[tuple[Tensor, Tensor]] | None = None
        self.begin()

    def begin(self) -> None:
        """Begin a training or evaluation, before which the model's methods may have changed."""
        # A step of the model's own may create a metric's variables, at its first update.
        model = self.model
        self.may_grow = overrides(model, "train_step") or overrides(model, "test_step")
        if self.values is not None and not (self._is_known() and self._has_same_variables()):
            self.values = None

    def __call__(self) -> None:
        """Reset the metrics."""
        if self.values is not None and not self._has_grown(len(self.values)):
            assign = tf.raw_ops.AssignVariableOp
            for handle, value in self.values:
                assign(resource=handle, value=value)
            return
        self.model.reset_metrics()
        if self._is_known():
            variables = self.model.metrics_variables
            handles = [variable.value.handle for variable in variables]
            self.values = list(zip(handles, values_of(variables), strict=True))

    @property
    def is_known(self) -> bool:
        """True if every reset sets the same variables to the same values, so that programs can."""
        return not self.may_grow and self._is_known()

    def _has_grown(self, count: int) -> bool:
        return self.may_grow and len(self.model.metrics_variables) != count

    def _has_same_variables(self) -> bool:
        handles = [variable.value.handle for variable in self.model.metrics_variables]
        return same_objects(handles, [handle for handle, _ in self.values or ()])

    def _is_known(self) -> bool:
        """Return True if every reset sets the same values."""
        if is_distributed(self.model) or overrides(self.model, "reset_metrics"):
            return False
        metrics = [m for each in self.model.metrics for m in (each, *getattr(each, "metrics", ()))]
        return all(metric.reset_state.__module__.startswith("keras.") for metric in metrics)
