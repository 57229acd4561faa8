"""What of a model its compiled programs hold: all that is not in its variables."""

import functools
from typing import Any

import keras

from tfcourse.internals.layers import flatten_layers, graph_nodes
from tfcourse.internals.models import compile_arguments
from tfcourse.internals.optimizers import learning_rate_source
from tfcourse.layers.dropout import Dropout
from tfcourse.optimizers.base import CourseOptimizer
from tfcourse.training.programs.replicas import is_distributed
from tfcourse.training.reuse.configs import canonical, is_counted
from tfcourse.training.reuse.functions import is_known
from tfcourse.training.reuse.values import NotComparableError, Values, config_of

__all__ = ["structure"]


def structure(model: Any) -> Any:
    """A hashable description of a compiled model without its state.

    Two models of the same structure differ in the values of their variables alone: classes,
    configs (of one's own classes all attributes, and what their functions refer to), topology,
    loss, metrics, optimizer and Keras's global settings are the same. Seeds, names that Keras
    counts up, and the optimizer's hyperparameters that are variables are no part of it.

    Raises:
        NotComparableError: The model holds something that can't be compared; the message says
            what.
    """
    if is_distributed(model):
        raise NotComparableError("the model is trained on several devices")
    layers = flatten_layers(model)
    variables = [*model.variables, *model.optimizer.variables]
    values = Values(
        {id(layer): number for number, layer in enumerate(layers)},
        {id(variable): number for number, variable in enumerate(variables)},
    )
    return (
        _settings(),
        tuple(_layer(layer, values) for layer in layers),
        _optimizer(model.optimizer, values),
        _compiled(model, values),
        tuple((tuple(v.shape), str(v.dtype), bool(v.trainable)) for v in model.variables),
    )


def _settings() -> Any:
    config = keras.config
    return (
        config.floatx(),
        config.epsilon(),
        config.image_data_format(),
        canonical(config.dtype_policy().get_config()),
    )


def _layer(layer: Any, values: Values) -> Any:
    kind = type(layer)
    name = "" if is_counted(layer.name, kind.__name__) else layer.name
    where = f'the {kind.__name__} "{name}"' if name else f"a {kind.__name__}"
    base = _base_attributes(isinstance(layer, keras.Model))
    return (
        values.describe(kind, where),
        name,
        bool(layer.trainable),
        bool(layer.built),
        bool(layer.autocast),
        bool(layer.supports_masking),
        canonical(layer.dtype_policy.get_config()),
        values.describe(layer.activity_regularizer, where),
        _topology(layer, values, where),
        values.beside_config(layer, where, base)
        if _is_told_by_config(layer)
        else values.attributes(layer, where, base),
    )


def _is_told_by_config(layer: Any) -> bool:
    return is_known(type(layer)) and not isinstance(layer, keras.layers.Lambda)


def _topology(layer: Any, values: Values, where: str) -> Any:
    """How a layer is made of others, or the config of one of a known class."""
    if isinstance(layer, keras.Sequential):
        return tuple(values.describe(inner, where) for inner in layer.layers)
    if isinstance(layer, keras.Function):
        return _graph(layer, where), _operations(layer, values, where)
    if not _is_told_by_config(layer):
        return ()
    config = config_of(layer, where)
    if isinstance(layer, Dropout):
        del config["rate"]  # it is in a variable
    return canonical({"class_name": type(layer).__name__, "config": config})


def _graph(model: Any, where: str) -> Any:
    """Which layer of a functional model takes which one's outputs, and what is between them."""
    config = config_of(model, where)
    if "layers" not in config:
        raise NotComparableError(f"the config of {where} does not tell its layers")
    names = {layer.name for layer in model.layers}
    # The layers' own configs are told with the layers; operations have no other place.
    entries = [
        {**entry, "config": {"name": entry["name"]}} if entry["name"] in names else entry
        for entry in config["layers"]
    ]
    return canonical({"class_name": type(model).__name__, "config": {**config, "layers": entries}})


def _operations(model: Any, values: Values, where: str) -> Any:
    """What the operations of a functional model hold and are given that its config only names.

    ``keras.ops.map`` is given a function.
    """
    base = frozenset(vars(keras.Operation()))
    found = []
    for node in graph_nodes(model):
        operation, given = node.operation, (node.arguments.args, node.arguments.kwargs)
        found.append(values.among(keras.tree.flatten(given), where))
        if not isinstance(operation, keras.layers.Layer):
            kind = type(operation)
            held = values.beside_config if is_known(kind) else values.attributes
            found.append((values.describe(kind, where), held(operation, where, base)))
    return tuple(found)


def _optimizer(optimizer: Any, values: Values) -> Any:
    if not is_known(type(optimizer)):
        raise NotComparableError(f"the optimizer is a class of one's own, {type(optimizer)}")
    state = ["name"]
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        inner = _optimizer(optimizer.inner_optimizer, values)
        config = config_of(optimizer, "the optimizer")
        return (type(optimizer), canonical(config, without=("name", "inner_optimizer")), inner)
    if isinstance(optimizer, CourseOptimizer):
        state += optimizer.hyperparameters
    rate = None
    if isinstance(learning_rate_source(optimizer), keras.Variable):
        state.append("learning_rate")
    else:
        rate = values.describe(learning_rate_source(optimizer), "the learning rate")
    config = config_of(optimizer, "the optimizer")
    return (type(optimizer), canonical(config, without=tuple(state)), rate)


def _compiled(model: Any, values: Values) -> Any:
    """What ``compile`` was given, beside the optimizer."""
    given = compile_arguments(model)
    del given["optimizer"]
    return values.describe(given, "an argument of compile")


@functools.cache
def _base_attributes(of_model: bool) -> frozenset[str]:
    """The attributes that Keras gives every layer or model, and what training leaves there."""
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
