"""The variables of a model that has just been built."""

from tfcourse.internals.layers import flatten_layers
from tfcourse.layers.dropout import Dropout
from tfcourse.types import KerasModel, Variable

__all__ = ["initial_variables", "own_variables"]


def own_variables(model: KerasModel) -> list[Variable]:
    """Return the variables of a model without those of its optimizer, in their order.

    To Keras, the rates of `Dropout` layers are no variables of the model; they come last.
    """
    dropouts = (layer for layer in flatten_layers(model) if isinstance(layer, Dropout))
    return [*model.variables, *(layer.rate_variable for layer in dropouts)]


def initial_variables(model: KerasModel) -> list[Variable]:
    """Return the present variables of a model and its optimizer, in their order."""
    return [*own_variables(model), *model.optimizer.variables]
