"""The variables that a fresh model brings with it."""

from typing import Any

from tfcourse.internals.layers import flatten_layers
from tfcourse.layers.dropout import Dropout

__all__ = ["given_variables", "own_variables", "rate_variables"]


def rate_variables(model: Any) -> list[Any]:
    """The rates of `Dropout` layers, which are no variables of the model to Keras."""
    return [layer.rate_variable for layer in flatten_layers(model) if isinstance(layer, Dropout)]


def own_variables(model: Any) -> list[Any]:
    """The variables of a model without those of its optimizer, in their order."""
    return [*model.variables, *rate_variables(model)]


def given_variables(model: Any) -> list[Any]:
    """The variables of a model and its optimizer that there are now, in their order."""
    return [*own_variables(model), *model.optimizer.variables]
