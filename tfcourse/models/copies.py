"""Copies of layers and models: the same configuration, weights and random state."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from tfcourse.internals.layers import (
    flatten_layers,
    lambda_output_shape,
    own_weights,
    seed_generators,
)
from tfcourse.types import KerasModel, Layer

__all__ = ["clone_layer", "copy_weights", "has_graph", "paired_weights", "uncompiled"]


def has_graph(layer: Layer) -> bool:
    """Return whether a layer is a model that Keras can rebuild layer by layer."""
    return isinstance(layer, keras.Sequential | keras.Function)


def clone_layer(layer: Layer, **changes: object) -> Any:
    """Create a layer (or operation) of the same configuration except for ``changes``."""
    if type(layer) is keras.layers.Lambda:  # Keras refuses to load its function from a config.
        names = ("name", "trainable", "dtype", "arguments")
        config = {name: value for name, value in layer.get_config().items() if name in names}
        config |= {"mask": layer.mask, "output_shape": lambda_output_shape(layer)}
        return keras.layers.Lambda(layer.function, **config)
    return type(layer).from_config({**layer.get_config(), **changes})


def copy_weights(layer: keras.Operation, new: keras.Operation) -> list[tuple[Any, Any]]:
    """Copy a layer's weights, statistics and random state to another of the same kind.

    Returns:
        The pairs of weights, old and new.
    """
    if not isinstance(layer, keras.Layer) or not isinstance(new, keras.Layer):
        return []  # An operation without weights.
    pairs = paired_weights(layer, new)
    for old, weight in pairs:
        if old.shape != weight.shape:
            raise ValueError(
                f'Weight "{weight.path}" of shape {weight.shape} can\'t be a copy of "{old.path}", '
                f"of shape {old.shape}."
            )
        weight.assign(old)
    for old_part, new_part in zip(flatten_layers(layer), flatten_layers(new), strict=True):
        for old, generator in zip(
            seed_generators(old_part), seed_generators(new_part), strict=False
        ):
            generator.state.assign(old.state)
        if isinstance(new_part, keras.layers.Normalization):
            new_part.finalize_state()  # It computes with values derived from its weights.
    return pairs


def paired_weights(layer: Layer, new: Layer) -> list[tuple[Any, Any]]:
    """Pair the weights of two layers of the same kind, or models of the same layers.

    By name: a layer that was quantized has them in another order than one that is built so, and
    one without bias correction lacks ``moving_weight``. By position where the names are automatic.
    """
    parts = zip(flatten_layers(layer), flatten_layers(new), strict=True)
    return [pair for each in parts for pair in _pairs_of_own_weights(*each)]


def _pairs_of_own_weights(layer: Layer, new: Layer) -> list[tuple[Any, Any]]:
    """Pair the weights of two layers, without those of the layers inside them."""
    old, weights = own_weights(layer), own_weights(new)
    by_name: dict[str, list[Any]] = {}
    for weight in old:
        by_name.setdefault(weight.name, []).append(weight)
    names, new_names = (Counter(w.name for w in side) for side in (old, weights))
    if names <= new_names or new_names <= names:
        return [(by_name[w.name].pop(0), w) for w in weights if by_name.get(w.name)]
    return [*zip(old, weights, strict=True)]


@contextmanager
def uncompiled(model: KerasModel) -> Iterator[None]:
    """Hide that a model is compiled: Keras's cloning fails on losses that are plain functions."""
    models = [part for part in flatten_layers(model) if getattr(part, "compiled", False)]
    try:
        for part in models:
            part.compiled = False
        yield
    finally:
        for part in models:
            part.compiled = True
