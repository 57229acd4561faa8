"""All that training changes in a model: weights, seeds, optimizer and metrics."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

__all__ = ["StateCopier", "build_state", "state_variables"]


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


class StateCopier:
    """Copies a model's whole state, and assigns such a copy.

    A copy is one compiled call: for a small model it costs what a call costs.

    Args:
        model: A model with all its state built.
    """

    def __init__(self, model: Any) -> None:
        self.variables = [variable.value for variable in state_variables(model)]
        own = {id(variable) for variable in [*model.variables, *model.optimizer.variables]}
        self.without_metrics = len(own)
        self.copy = tf.function(lambda: [tf.identity(v) for v in self.variables], autograph=False)
        self.copy._omit_frequent_tracing_warning = True  # one a model is meant

    def assign(self, values: Sequence[Any], metrics: bool = True) -> None:
        """Goes back to a copy, with or without the metrics' part of it."""
        count = len(self.variables) if metrics else self.without_metrics
        for variable, value in zip(self.variables[:count], values, strict=False):
            variable.assign(value)
