"""All that training changes in a model: weights, seeds, optimizer and metrics."""

from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["Snapshot", "build_state", "state_variables"]


def build_state(model: Any, batch: Any) -> None:
    """Creates all variables (weights, loss, metrics, optimizer) on symbols of a batch's shape.

    No variable can be created inside the compiled loop. Keras's fit does the same with this
    private method, before its first step.
    """
    with model.distribute_strategy.scope():
        model._symbolic_build(data_batch=batch)


def state_variables(model: Any) -> list[Any]:
    """The model's variables, its optimizer's and its metrics', each once, in a fixed order."""
    found = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return list({id(variable): variable for variable in found}.values())


class Snapshot:
    """A copy of a model's whole state in memory, to go back to.

    Taking one is a single compiled call: for a small model its cost is that of the call.
    """

    def __init__(self, model: Any) -> None:
        self.variables = [v.value for v in state_variables(model)]
        self._read = tf.function(lambda: [tf.identity(v) for v in self.variables], autograph=False)
        self.values: list[Any] = []

    def take(self) -> None:
        """Keeps the values of now."""
        self.values = self._read()

    def restore(self) -> None:
        """Assigns the values kept."""
        for variable, value in zip(self.variables, self.values, strict=True):
            variable.assign(value)

    def is_finite(self) -> bool:
        """Whether all values kept are finite numbers."""
        return all(np.isfinite(v).all() for v in self.values if v.dtype.is_floating)
