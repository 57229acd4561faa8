"""The variables of a model that has just been built."""

from tfcourse.internals.layers import flatten_layers
from tfcourse.layers.dropout import Dropout
from tfcourse.losses import smoothing_variables
from tfcourse.optimizers.schedule import schedule_variables
from tfcourse.types import KerasModel, Variable

__all__ = ["initial_variables", "own_variables", "rate_variables"]


def own_variables(model: KerasModel) -> list[Variable]:
    """Return the variables of a model without those of its optimizer, in their order.

    To Keras, the rates of `Dropout` layers and the smoothing of labels are no variables of the
    model; they come last.
    """
    return [*model.variables, *rate_variables(model), *smoothing_variables(model)]


def rate_variables(model: KerasModel) -> list[Variable]:
    """Return the variables of the rates of a model's `Dropout` layers."""
    layers = flatten_layers(model)
    return [layer.rate_variable for layer in layers if isinstance(layer, Dropout)]


def initial_variables(model: KerasModel) -> list[Variable]:
    """Return the present variables of a model, its schedule and its optimizer, in their order."""
    optimizer = model.optimizer
    return [*own_variables(model), *schedule_variables(optimizer), *optimizer.variables]
