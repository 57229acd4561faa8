"""Keras's layers in place of tfcourse's in a trained model, and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from tfcourse.errors import InputError, one_of
from tfcourse.layers.batch_norm import BatchNorm
from tfcourse.layers.softmax_head import SoftmaxHead
from tfcourse.optimizers.base import CourseOptimizer

__all__ = ["clone_layer", "copy_weights", "has_graph", "swap", "uncompiled"]

# What each direction replaces.
_FROM: dict[str, Any] = {
    "tfcourse": (keras.layers.BatchNormalization,),
    "keras": (BatchNorm, SoftmaxHead),
}


def swap(model: Any, to: str = "tfcourse") -> Any:
    """A copy of a trained model with its batch-norm layers exchanged: same weights and outputs.

    To ``"tfcourse"``, every ``keras.layers.BatchNormalization`` becomes a ``tfcourse.BatchNorm``;
    to ``"keras"``, the reverse, and every `SoftmaxHead` becomes a ``Dense`` with softmax, so that
    the model loads without tfcourse. Names, configuration and statistics are kept;
    ``bias_correction``, which Keras does not have, ends with what it gave. A compiled model's
    copy is compiled alike and has a copy of the optimizer's state, so that training goes on; but
    to ``"keras"`` a model with one of tfcourse's optimizers becomes one that is not compiled.

    Args:
        model: A Sequential or functional model, perhaps with such models inside; left as it is.
        to: ``"tfcourse"`` or ``"keras"``.

    Returns:
        The copy, of the model's class.

    Raises:
        InputError: ``to`` is neither; the model is of another kind; a layer to exchange has
            ``renorm=True``, is a subclass, or is inside a layer that is not such a model.
    """
    if to not in _FROM:
        raise InputError(one_of("swap: to", to, _FROM))
    if not has_graph(model):
        raise InputError(
            "swap: model must be a Sequential or functional Keras model, whose layers are known. "
            f"Received: {type(model).__name__}."
        )
    pairs: list[tuple[Any, Any]] = []

    def clone(layer: Any) -> Any:
        pairs.append((layer, _exchanged(layer, to)))
        return pairs[-1][1]

    with uncompiled(model):
        copy = keras.models.clone_model(model, clone_function=clone, recursive=True)
    _check_that_none_is_left(model, [layer for layer, _ in pairs], to)
    for layer, new in pairs:
        copy_weights(layer, new)
    if model.compiled:
        _compile_alike(model, copy, to)
    return copy


def has_graph(layer: Any) -> bool:
    """Whether it is a model that Keras can rebuild layer by layer."""
    return isinstance(layer, keras.Sequential) or hasattr(layer, "_nodes_by_depth")


def clone_layer(layer: Any, **changes: Any) -> Any:
    """A new layer (or operation) of the same configuration but for ``changes``."""
    if type(layer) is keras.layers.Lambda:  # Keras refuses to load its function from a config.
        names = ("name", "trainable", "dtype", "arguments")
        config = {name: value for name, value in layer.get_config().items() if name in names}
        config |= {"mask": layer.mask, "output_shape": layer._output_shape}
        return keras.layers.Lambda(layer.function, **config)
    return type(layer).from_config({**layer.get_config(), **changes})


def copy_weights(layer: Any, new: Any) -> None:
    """The weights of a layer, and its exact statistics, for another of the same kind."""
    if isinstance(layer, keras.Layer):
        # Without moving_weight, the last one, where ``new`` has no bias correction.
        new.set_weights(layer.get_weights()[: len(new.weights)])
        for part in new._flatten_layers():
            if isinstance(part, keras.layers.Normalization):
                part.finalize_state()  # It computes with what it derives from its weights.


@contextmanager
def uncompiled(model: Any) -> Iterator[None]:
    """Hides that a model is compiled: Keras's cloning fails on losses that are plain functions."""
    models = [part for part in model._flatten_layers() if getattr(part, "compiled", False)]
    try:
        for part in models:
            part.compiled = False
        yield
    finally:
        for part in models:
            part.compiled = True


def _exchanged(layer: Any, to: str) -> Any:
    if type(layer) not in _FROM[to]:
        return clone_layer(layer)
    config = layer.get_config()
    if isinstance(layer, SoftmaxHead):
        if "float16" in layer.compute_dtype:  # float16 and bfloat16; its output is float32.
            config["dtype"] = "float32"
        activation = "linear" if config.pop("logits") else "softmax"
        return keras.layers.Dense(config.pop("classes"), activation, **config)
    if config.get("renorm"):
        raise InputError(
            f'swap: batch-norm layer "{layer.name}" has renorm=True, which tfcourse.BatchNorm '
            "does not do. Build it with renorm=False."
        )
    left_out = {"bias_correction", "renorm", "renorm_clipping", "renorm_momentum"}
    kept = {name: value for name, value in config.items() if name not in left_out}
    return (BatchNorm if to == "tfcourse" else keras.layers.BatchNormalization)(**kept)


def _check_that_none_is_left(model: Any, reached: list[Any], to: str) -> None:
    """Refuses a copy that would still hold, somewhere inside, what was to be exchanged."""
    done = {id(layer) for layer in reached if type(layer) in _FROM[to]}
    for layer in model._flatten_layers():
        if isinstance(layer, _FROM[to]) and id(layer) not in done:
            why = "inside another layer" if type(layer) in _FROM[to] else "a subclass"
            raise InputError(
                f'swap: "{layer.name}" ({type(layer).__name__}) cannot be exchanged, because it '
                f"is {why}. Build that part of the model anew."
            )


def _compile_alike(model: Any, copy: Any, to: str) -> None:
    """Compiles the copy with objects of its own, and the optimizer's state."""
    kinds = (keras.optimizers.Optimizer, keras.losses.Loss, keras.metrics.Metric)

    def again(part: Any) -> Any:
        return type(part).from_config(part.get_config()) if isinstance(part, kinds) else part

    if to == "keras" and isinstance(model.optimizer, CourseOptimizer):
        return  # the copy is to load where tfcourse is not
    given = model._compile_config.config
    copy.compile(**{name: tf.nest.map_structure(again, part) for name, part in given.items()})
    if getattr(model.optimizer, "built", False):
        copy.optimizer.build(copy.trainable_variables)
        for old, new in zip(model.optimizer.variables, copy.optimizer.variables, strict=True):
            new.assign(old)
