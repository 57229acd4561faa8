"""Keras's layers in place of tfcourse's in a trained model, and back."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfcourse.errors import InputError, one_of, warn
from tfcourse.internals.layers import (
    flatten_layers,
)
from tfcourse.internals.models import compile_arguments
from tfcourse.layers.batch_norm import BatchNorm
from tfcourse.layers.dropout import Dropout
from tfcourse.layers.softmax_head import SoftmaxHead
from tfcourse.models.copies import clone_layer, copy_weights, has_graph, uncompiled
from tfcourse.models.optimizer_state import copy_optimizer_state
from tfcourse.optimizers.keras_equivalent import is_own_optimizer, keras_equivalent
from tfcourse.types import KerasModel, Layer

__all__ = ["exchanged_copy", "swap"]

# The layers that each direction replaces.
_FROM: dict[str, Any] = {
    "tfcourse": (keras.layers.BatchNormalization,),
    "keras": (BatchNorm, SoftmaxHead, Dropout),
}


def swap(model: KerasModel, to: str = "tfcourse") -> KerasModel:
    """Copy a trained model with its batch-norm layers exchanged: same weights and outputs.

    To ``"tfcourse"``, every ``keras.layers.BatchNormalization`` becomes a ``tfcourse.BatchNorm``;
    to ``"keras"``, the reverse, and every `SoftmaxHead` becomes a ``Dense`` with softmax, so that
    the model loads without tfcourse. Names, configuration and statistics are the
    same; ``bias_correction``, which Keras does not have, ends, and its averages stay. A compiled
    model's copy is compiled alike and has a copy of the optimizer's state of all trainable
    weights, so that training can continue. To ``"keras"`` one of tfcourse's optimizers becomes
    Keras's of the same hyperparameters, which has taken no step, and whose ε has another place;
    if there is none (see `keras_equivalent`), the copy is not compiled. Frozen layers, LoRA
    weights and quantized layers stay as they are.

    Args:
        model: A Sequential or functional model, perhaps with such models inside; it is not
            changed.
        to: ``"tfcourse"`` or ``"keras"``.

    Returns:
        The copy, of the model's class.

    Raises:
        InputError: ``to`` is neither; the model is of another kind; a layer to exchange is a
            subclass, or is inside a layer whose configuration lacks it, or inside several.

    Warns:
        UserWarning: Some weights are trainable now and were not when the optimizer was built, as
            LoRA's: the copy's optimizer has no state of them. A `BatchNorm` has a
            ``virtual_batch_size``, which Keras lacks.
    """
    copy = exchanged_copy(model, to)
    for layer in flatten_layers(model):
        if to == "keras" and getattr(layer, "virtual_batch_size", None):
            warn(
                f'swap: Keras has no virtual_batch_size. The copy of "{layer.name}" predicts as it '
                "does, but would train by the statistics of whole batches."
            )
    return copy


def exchanged_copy(model: KerasModel, to: str) -> KerasModel:
    """Return the copy of `swap` without its warning of settings that Keras lacks."""
    if to not in _FROM:
        raise InputError(one_of("swap: to", to, _FROM))
    if not has_graph(model):
        raise InputError(
            "swap: model must be a Sequential or functional Keras model, whose layers are known. "
            f"Received: {type(model).__name__}."
        )
    pairs: list[tuple[Any, Any]] = []

    def clone(layer: Layer) -> Any:
        pairs.append((layer, _exchange(layer, to)))
        return pairs[-1][1]

    with uncompiled(model):
        copy: KerasModel = keras.models.clone_model(model, clone_function=clone, recursive=True)
    _check_complete(copy, to)
    _check_shared_layers(model, copy)
    copies: dict[int, Any] = {}
    for layer, new in pairs:
        copies |= {id(old): weight for old, weight in copy_weights(layer, new)}
    _train_alike(model, copy, copies)
    if model.compiled:
        _compile_alike(model, copy, to, copies)
    return copy


def _train_alike(model: KerasModel, copy: KerasModel, copies: Mapping[int, Any]) -> None:
    """Freeze the models and weights inside a copy that are frozen in the model."""
    layers = zip(flatten_layers(model), flatten_layers(copy), strict=True)
    for layer, new in layers:  # Each before those inside it, which it sets too.
        if new.trainable != layer.trainable:
            new.trainable = layer.trainable
    for weight in model.weights:
        if id(weight) in copies:
            copies[id(weight)].trainable = weight.trainable


def _exchange(layer: Layer, to: str) -> Any:
    if type(layer) not in _FROM[to]:
        inside = flatten_layers(layer, include_self=False) if isinstance(layer, keras.Layer) else ()
        if any(type(part) in _FROM[to] for part in inside):
            return type(layer).from_config(_exchange_inside(layer.get_config(), to))
        return clone_layer(layer)
    config = layer.get_config()
    if isinstance(layer, SoftmaxHead):
        if "float16" in layer.compute_dtype:  # float16 and bfloat16; its output is float32.
            config["dtype"] = "float32"
        activation = "linear" if config.pop("logits") else "softmax"
        return keras.layers.Dense(config.pop("classes"), activation, **config)
    if isinstance(layer, Dropout):
        return keras.layers.Dropout(**config)
    own = ("bias_correction", "virtual_batch_size")  # Keras has neither
    common = {name: value for name, value in config.items() if name not in own}
    return (BatchNorm if to == "tfcourse" else keras.layers.BatchNormalization)(**common)


def _exchange_inside(config: Any, to: str) -> Any:
    """Exchange the layers in the configuration of another, such as TimeDistributed."""
    if isinstance(config, list | tuple):
        return type(config)(_exchange_inside(part, to) for part in config)
    if not isinstance(config, dict):
        return config
    if config.get("class_name") in {kind.__name__ for kind in _FROM[to]}:
        layer = keras.saving.deserialize_keras_object(config)
        if type(layer) in _FROM[to]:
            # The nodes of a functional model have more keys for a layer.
            return {**config, **keras.saving.serialize_keras_object(_exchange(layer, to))}
    return {name: _exchange_inside(part, to) for name, part in config.items()}


def _check_complete(copy: KerasModel, to: str) -> None:
    """Raise InputError if a copy still contains a layer that was to be exchanged."""
    for layer in flatten_layers(copy):
        if isinstance(layer, _FROM[to]):
            why = "inside another layer" if type(layer) in _FROM[to] else "a subclass"
            raise InputError(
                f'swap: "{layer.name}" ({type(layer).__name__}) cannot be exchanged, because it '
                f"is {why}. Build that part of the model again."
            )


def _check_shared_layers(model: KerasModel, copy: KerasModel) -> None:
    """Raise InputError if a layer is inside several others, each of which would have its own."""
    before, after = (Counter(x.name for x in flatten_layers(part)) for part in (model, copy))
    # Not new names, as Keras renames the inputs of operations.
    if twice := [name for name, count in after.items() if count > before.get(name, count)]:
        raise InputError(
            f'swap: "{twice[0]}" is inside several layers of model "{model.name}", and a copy '
            "would have several of it. Call one layer around it in each of these places."
        )


def _compile_alike(model: KerasModel, copy: KerasModel, to: str, copies: Mapping[int, Any]) -> None:
    """Compile the copy with objects of its own, and the optimizer's state."""
    kinds = (keras.optimizers.Optimizer, keras.losses.Loss, keras.metrics.Metric)

    def copy_of(part: object) -> Any:
        return type(part).from_config(part.get_config()) if isinstance(part, kinds) else part

    arguments = compile_arguments(model)
    if to == "keras" and is_own_optimizer(model.optimizer):  # to load where tfcourse is not
        arguments["optimizer"] = keras_equivalent(model.optimizer)
        if arguments["optimizer"] is not None:
            copy.compile(
                **{name: tf.nest.map_structure(copy_of, part) for name, part in arguments.items()}
            )
            copy.optimizer.build(copy.trainable_variables)
        return
    copy.compile(**{name: tf.nest.map_structure(copy_of, part) for name, part in arguments.items()})
    if getattr(model.optimizer, "built", False):
        copy_optimizer_state(model.optimizer, copy.optimizer, copies, copy.trainable_variables)
