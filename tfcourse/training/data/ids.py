"""The ids that a model's ``Embedding`` layers look up, compared with their ``input_dim``.

A CPU kernel refuses an id outside of the table. XLA doesn't: it takes the nearest row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfcourse.errors import InputError, warn
from tfcourse.internals.layers import flatten_layers, graph_nodes, is_of_operations
from tfcourse.types import KerasModel, KerasTensor, Layer, Nested, Tensor

__all__ = ["check_ids", "embeddings_of", "ids_in_range"]

# These move or pick values along the inner axes and compute nothing.
MOVING = {
    getattr(keras.layers, name)
    for name in (
        "Identity", "Flatten", "Reshape", "Permute", "Concatenate", "RepeatVector", "Cropping1D",
        "Cropping2D",
    )
}  # fmt: skip
MOVING_OPS = {"GetItem", "Reshape", "Squeeze", "ExpandDims", "Transpose", "Concatenate", "Stack"}


@dataclass(frozen=True)
class Part:
    """Values within a model, and the names of the arrays that they come from."""

    values: Tensor
    names: tuple[str, ...]


# Stands for values that the model computes.
UNKNOWN = Part(None, ())


class Lookup(NamedTuple):
    """An ``Embedding`` and the ids that it receives."""

    layer: Layer
    ids: Part


def check_ids(model: KerasModel, leaves: Sequence[tuple[str, Tensor]]) -> None:
    """Check the ids that arrive at the ``Embedding`` layers of a Sequential or Functional model.

    Ids that the model itself computes, as with an ``IntegerLookup``, are not looked at. Negative
    ids count from the end of the table, as in Keras, with a warning.

    Args:
        model: A model, built or not.
        leaves: The arrays of x with their names, in the order of the model's inputs.

    Raises:
        InputError: An id lies outside of a table. Names the array, the row, the id and the layer.
    """
    for layer, ids in _lookups(model, leaves):
        if ids is UNKNOWN:
            continue
        numbers, size = _whole(ids.values), layer.input_dim
        low, high = _limits(numbers)
        if low < -size or high >= size:
            raise InputError(_message(" and ".join(ids.names), layer, numbers, low, high))
        if low < 0:
            warn(
                f'{" and ".join(ids.names)} holds the id {low}, for which layer "{layer.name}" '
                f"takes row {low + size}: Keras counts negative ids from the end. Give missing "
                "values an id of their own, such as 0 with mask_zero=True.",
            )


def ids_in_range(model: KerasModel, leaves: Sequence[tuple[str, Tensor]]) -> bool:
    """Return True if all ids that the model's ``Embedding`` layers get are known and in range."""
    lookups = _lookups(model, leaves)
    reached = {id(layer) for layer, _ in lookups}
    if not all(id(layer) in reached for layer in embeddings_of(model)):
        return False
    if any(ids is UNKNOWN for _, ids in lookups):
        return False
    limits = [(layer.input_dim, *_limits(_whole(ids.values))) for layer, ids in lookups]
    return all(-size <= low and high < size for size, low, high in limits)


def embeddings_of(model: KerasModel) -> list[Layer]:
    """Return the ``Embedding`` layers of a model and of the models inside it."""
    return [layer for layer in flatten_layers(model) if _is_embedding(layer)]


def _lookups(model: KerasModel, leaves: Sequence[tuple[str, Tensor]]) -> list[Lookup]:
    """Return the lookups that a model of Keras's layers does on these arrays."""
    if not embeddings_of(model):
        return []
    lookups: list[Lookup] = []
    parts = [UNKNOWN if leaf is None else Part(leaf, (name,)) for name, leaf in leaves]
    _through_model(model, parts, lookups)
    return lookups


def _through_model(model: KerasModel, parts: Sequence[Part], lookups: list[Lookup]) -> list[Part]:
    """Send parts through a model, as far as it only moves them, and collect the lookups."""
    if isinstance(model, keras.Sequential):
        part = parts[0]
        if model.built and getattr(model, "inputs", None):
            part = _as_input(part, model.inputs[0])
        for layer in model.layers:
            part = _through_layer(layer, [part], {}, lookups)[0]
        return [part]
    needed = _on_the_way(model)
    values = {
        id(symbol): _as_input(part, symbol) if id(symbol) in needed else UNKNOWN
        for symbol, part in zip(model.inputs, parts, strict=False)
    }
    for node in graph_nodes(model):
        if node.is_input or any(id(tensor) not in values for tensor in node.input_tensors):
            continue
        results: list[Part] = []
        if _looks_up(node.operation) or any(id(symbol) in needed for symbol in node.outputs):
            args, kwargs = node.arguments.fill_in(values)
            results = _through_layer(node.operation, args, kwargs, lookups)
        for place, symbol in enumerate(node.outputs):
            values[id(symbol)] = results[place] if place < len(results) else UNKNOWN
    return [values.get(id(symbol), UNKNOWN) for symbol in model.outputs]


def _on_the_way(model: KerasModel) -> set[int]:
    """Return the ids of the symbols that a lookup depends on: no other data are copied."""
    needed: set[int] = set()
    for node in reversed(graph_nodes(model)):
        if _looks_up(node.operation) or any(id(symbol) in needed for symbol in node.outputs):
            needed |= {id(symbol) for symbol in node.input_tensors}
    return needed


def _looks_up(layer: Layer) -> bool:
    return _is_embedding(layer) or (_is_transparent(layer) and bool(embeddings_of(layer)))


def _through_layer(
    layer: Layer, args: Sequence[Nested], kwargs: Mapping[str, Nested], lookups: list[Lookup]
) -> list[Part]:
    parts = [leaf for leaf in keras.tree.flatten((args, kwargs)) if isinstance(leaf, Part)]
    if _is_embedding(layer):
        lookups.extend(Lookup(layer, part) for part in parts)
    elif _is_transparent(layer):
        return _through_model(layer, parts, lookups)
    elif _is_moving(layer) and not any(part is UNKNOWN for part in parts):
        return [_moved(layer, args, kwargs, parts)]
    return [UNKNOWN]


def _moved(
    layer: Layer, args: Sequence[Nested], kwargs: Mapping[str, Nested], parts: Sequence[Part]
) -> Part:
    half = keras.backend.standardize_dtype(getattr(layer, "compute_dtype", None) or "float32")
    if half.endswith("16") and any(part.values.dtype.is_floating for part in parts):
        return UNKNOWN  # such a layer rounds the ids
    args, kwargs = keras.tree.map_structure(
        lambda leaf: leaf.values if isinstance(leaf, Part) else leaf, (args, kwargs)
    )
    try:
        values = layer.call(*args, **kwargs)  # not the layer itself, which would be built for them
    except Exception:  # shapes that don't fit are for another check
        return UNKNOWN
    if not values.shape.rank or values.shape[0] != parts[0].values.shape[0]:
        return UNKNOWN
    return Part(values, tuple(dict.fromkeys(name for part in parts for name in part.names)))


def _as_input(part: Part, symbol: KerasTensor) -> Part:
    """Convert to the dtype and rank of a model's input, as Keras does."""
    values, rank = part.values, len(symbol.shape)
    if part is UNKNOWN or values.dtype == tf.string or symbol.dtype == "string":
        return UNKNOWN
    values = tf.cast(values, symbol.dtype)
    if values.shape.rank == rank + 1 and values.shape[-1] == 1:
        values = tf.squeeze(values, -1)
    elif values.shape.rank == rank - 1 and symbol.shape[-1] == 1:
        values = tf.expand_dims(values, -1)
    return Part(values, part.names)


def _is_embedding(layer: Layer) -> bool:
    embedding = keras.layers.Embedding
    return isinstance(layer, embedding) and type(layer).call is embedding.call


def _is_transparent(layer: Layer) -> bool:
    """Return True for a Sequential or Functional model whose call is Keras's."""
    if not type(layer).call.__module__.startswith("keras."):
        return False
    return isinstance(layer, keras.Sequential | keras.Function)


def _is_moving(layer: Layer) -> bool:
    kind = type(layer)
    of_ops = is_of_operations(layer) and kind.__name__ in MOVING_OPS
    return kind in MOVING or of_ops


def _whole(values: Tensor) -> Tensor:
    """Return the ids as an ``Embedding`` reads them."""
    return values if values.dtype in (tf.int32, tf.int64) else tf.cast(values, tf.int32)


def _limits(ids: Tensor) -> tuple[int, int]:
    return (int(tf.reduce_min(ids)), int(tf.reduce_max(ids))) if tf.size(ids) else (0, 0)


def _message(name: str, layer: Layer, ids: Tensor, low: int, high: int) -> str:
    size, numbers = layer.input_dim, ids.numpy()
    wrong = (numbers < -size) | (numbers >= size)
    rows = np.flatnonzero(wrong.reshape(len(numbers), -1).any(1))
    first = numbers[rows[0]][wrong[rows[0]]] if numbers.ndim > 1 else numbers[rows]
    way = "Correct those ids"
    if low >= 0:
        way = f"Give the layer input_dim={high + 1}, or correct those ids"
    if (low, high) == (1, size):
        way = f"Count the ids from 0 (x - 1), or give the layer input_dim={high + 1}"
    return (
        f'{name} holds the id {first[0]} in row {rows[0]}, but layer "{layer.name}" takes ids from '
        f"0 to {size - 1} (input_dim={size}). Ids from {low} to {high}, wrong in {len(rows)} of "
        f"{len(numbers)} rows. {way}."
    )
