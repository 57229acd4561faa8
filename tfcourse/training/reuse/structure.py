"""The part of a model that its compiled programs contain: all that is not in its variables."""

import functools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import keras

from tfcourse.internals.layers import flatten_layers, graph_nodes
from tfcourse.internals.models import compile_arguments
from tfcourse.internals.optimizers import has_weight_decay, learning_rate_source
from tfcourse.layers.dropout import Dropout
from tfcourse.optimizers.base import CourseOptimizer
from tfcourse.optimizers.schedule import TrainingSchedule
from tfcourse.training.programs.replicas import is_distributed
from tfcourse.training.reuse.configs import canonical, is_automatic_name
from tfcourse.training.reuse.shareable import (
    NotShareableError,
    beside_config,
    config_of,
    describe,
    full_name,
    is_from_library,
)
from tfcourse.types import KerasModel, Layer, Optimizer, Variable

__all__ = ["structure"]

Numbers = Mapping[int, int]
# Keras's layers around code that is not Keras's.
USER_CODE = tuple(
    getattr(keras.layers, name)
    for name in ("Lambda", "FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper")
)


def structure(model: KerasModel) -> Hashable:
    """Return a hashable description of a compiled model without its state.

    Two models of the same structure differ in the values of their variables alone: their layers,
    the connections, loss, metrics, optimizer and Keras's global settings are the same. Seeds,
    names that Keras counts up, and the optimizer's hyperparameters that are variables are no part
    of it.

    Only models whose layers, functions and other parts are all Keras's, TensorFlow's or this
    library's have one. Of what a user has written, nothing short of reading its code tells
    whether two of them do the same.

    Raises:
        NotShareableError: The model has no such description; the message says why.
    """
    if is_distributed(model):
        raise NotShareableError("the model is trained on several devices")
    layers = flatten_layers(model)
    layer_numbers = {id(layer): number for number, layer in enumerate(layers)}
    variable_numbers = {id(variable): number for number, variable in enumerate(model.variables)}
    return (
        _settings(),
        tuple(_layer(layer, layer_numbers, variable_numbers) for layer in layers),
        _optimizer(model.optimizer, model.trainable_variables),
        _compile_arguments(model),
        tuple(_variable(variable) for variable in model.variables),
    )


def _settings() -> Hashable:
    config = keras.config
    return (
        config.floatx(),
        config.epsilon(),
        config.image_data_format(),
        canonical(config.dtype_policy().get_config()),
    )


def _variable(variable: Variable) -> Hashable:
    """Describe a variable without its value; its layer's config may have another regularizer."""
    return (
        tuple(variable.shape),
        str(variable.dtype),
        bool(variable.trainable),
        bool(variable.overwrite_with_gradient),
        describe(variable.regularizer, "a weight's regularizer"),
        describe(variable.constraint, "a weight's constraint"),
    )


def _layer(layer: Layer, layer_numbers: Numbers, variable_numbers: Numbers) -> Hashable:
    kind = type(layer)
    name = "" if is_automatic_name(layer.name, kind.__name__) else layer.name
    where = f'the {kind.__name__} "{name}"' if name else f"a {kind.__name__}"
    base = _base_attributes(isinstance(layer, keras.Model))
    if isinstance(layer, USER_CODE):
        raise NotShareableError(f"{where} runs code of your own")
    _check_class(layer, where)
    return (
        kind,
        name,
        bool(layer.trainable),
        bool(layer.built),
        bool(layer.autocast),
        bool(layer.supports_masking),
        canonical(layer.dtype_policy.get_config()),
        describe(layer.activity_regularizer, where),
        tuple(variable_numbers.get(id(variable)) for variable in layer.variables),
        _content(layer, layer_numbers, where),
        beside_config(_without(base, layer), where),
    )


def _without(base: frozenset[str], thing: Layer) -> dict[str, Any]:
    return {name: value for name, value in vars(thing).items() if name not in base}


def _check_class(thing: object, where: str) -> None:
    if not is_from_library(type(thing)):
        raise NotShareableError(f"{where} is of the class {full_name(type(thing))}, your own")


def _content(layer: Layer, layer_numbers: Numbers, where: str) -> Hashable:
    """Describe the layers of a model and how they are connected; of another layer its config."""
    if isinstance(layer, keras.Sequential):
        return tuple(layer_numbers[id(inner)] for inner in layer.layers)
    if isinstance(layer, keras.Function):
        return _graph(layer, where), _operations(layer, where)
    config = config_of(layer, where)
    if isinstance(layer, Dropout):
        del config["rate"]  # it is in a variable
    return canonical({"class_name": type(layer).__name__, "config": config})


def _graph(model: KerasModel, where: str) -> Hashable:
    """Describe the connections of a functional model's layers, and the operations between them."""
    config = config_of(model, where)
    if "layers" not in config:
        raise NotShareableError(f"the config of {where} does not contain its layers")
    names = {layer.name for layer in model.layers}
    # The layers' own configs are part of their descriptions; operations have no other place.
    entries = [
        {**entry, "config": {"name": entry["name"]}} if entry["name"] in names else entry
        for entry in config["layers"]
    ]
    return canonical({"class_name": type(model).__name__, "config": {**config, "layers": entries}})


def _operations(model: KerasModel, where: str) -> Hashable:
    """Describe the arrays among the arguments and attributes of a functional model's operations.

    Its config contains the other ones. A function of the user's, as ``keras.ops.map`` takes one,
    is refused.
    """
    base = frozenset(vars(keras.Operation()))
    descriptions = []
    for node in graph_nodes(model):
        operation, arguments = node.operation, node.arguments
        flat = keras.tree.flatten((arguments.args, arguments.kwargs))
        descriptions.append(beside_config({"arguments": flat}, where))
        if not isinstance(operation, keras.layers.Layer):
            _check_class(operation, f"an operation of {where}")
            descriptions.append((type(operation), beside_config(_without(base, operation), where)))
    return tuple(descriptions)


def _optimizer(optimizer: Optimizer, weights: Sequence[Variable]) -> Hashable:
    _check_class(optimizer, "the optimizer")
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        raise NotShareableError("it has several optimizers")
    config = config_of(optimizer, "the optimizer")
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        inner = _optimizer(optimizer.inner_optimizer, weights)
        return (type(optimizer), canonical(config, without=("name", "inner_optimizer")), inner)
    state = ["name"]
    if isinstance(optimizer, CourseOptimizer):
        state += optimizer.hyperparameters
    rate = learning_rate_source(optimizer)
    if isinstance(rate, keras.Variable):
        state.append("learning_rate")
        rate = None
    elif isinstance(rate, TrainingSchedule):  # its parameters are variables too
        state.append("learning_rate")
        rate = type(rate).__name__
    return (
        type(optimizer),
        canonical(config, without=tuple(state)),
        describe(rate, "the learning rate"),
        tuple(has_weight_decay(optimizer, weight) for weight in weights),
    )


def _compile_arguments(model: KerasModel) -> Hashable:
    """Describe the arguments of ``compile`` beside the optimizer."""
    arguments = compile_arguments(model)
    del arguments["optimizer"]
    for leaf in keras.tree.flatten(arguments):
        if isinstance(leaf, str) and leaf in keras.saving.get_custom_objects():
            raise NotShareableError(f'"{leaf}", an argument of compile, is registered by you')
    return describe(arguments, "an argument of compile")


@functools.cache
def _base_attributes(of_model: bool) -> frozenset[str]:
    """Return the attributes of every layer or model of Keras's, and those that training adds."""
    names = {"input_spec", *vars(keras.layers.Layer())}
    if of_model:
        inputs = keras.Input((1,))
        models = [
            keras.Model(inputs, keras.layers.Dense(1)(inputs)),
            keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]),
        ]
        names |= {"history", "stop_training", "stop_evaluating", "stop_predicting"}
        names.add("_tfcourse_programs")
        for model in models:
            model.compile("sgd", "mse", metrics=["mae"])
            names |= vars(model).keys()
    return frozenset(names)
