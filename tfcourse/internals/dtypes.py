"""The attributes that make a model compute in another floating-point type."""

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tfcourse.internals.layers import flatten_layers
from tfcourse.internals.models import CompileLoss, loss_arguments
from tfcourse.internals.versions import uses
from tfcourse.types import KerasModel, KerasTensor, Layer, Variable

__all__ = ["dtype_settings"]


@uses(
    "keras.Layer._dtype_policy",
    "keras.Layer._losses",
    "keras.Layer._loss_ids",
    "keras.Layer._called",
    "keras.Sequential._functional",
    "keras.Function._inputs",
    "keras.layers.InputLayer._dtype",
    "keras.KerasTensor._dtype",
    "keras.Variable._dtype",
    "keras.losses.Loss._dtype",
    "keras.Model._compile_loss",
)
def dtype_settings(
    model: KerasModel, compiled: CompileLoss | None, dtype: str
) -> list[tuple[Any, str, Any]]:
    """Return the attributes that make a model and its losses compute in a floating-point type.

    Keras has no way to change the type of a model that is built. The lists of losses, which a
    call empties, are replaced by others, and ``_called`` is listed to be restored.

    Args:
        model: A built model.
        compiled: Its losses, as `tfcourse.internals.models.compiled_loss` gives them, or None.
        dtype: The type's name.

    Returns:
        Each object, the attribute's name and the value to set past ``__setattr__``, which tracks
        what it sees.
    """
    settings = [entry for part in flatten_layers(model) for entry in _of_layer(part, dtype)]
    settings += [(v, "_dtype", dtype) for v in model.variables if _is_float(v)]
    if compiled is not None:
        losses, weights = loss_arguments(compiled)
        for part in tf.nest.flatten(losses):
            if isinstance(part, keras.losses.Loss):
                settings.append((part, "_dtype", dtype))
        # Unbuilt, so that what it makes of strings and functions is of the type too.
        fresh = type(compiled)(losses, weights, output_names=compiled.output_names)
        settings.append((model, "_compile_loss", fresh))
    for part, name, _ in settings:
        getattr(part, name)  # a missing one is an error before anything is set
    return settings


def _of_layer(layer: Layer, dtype: str) -> Iterator[tuple[Any, str, Any]]:
    if keras.backend.is_float_dtype(layer.compute_dtype):
        yield layer, "_dtype_policy", keras.DTypePolicy(dtype)
    yield layer, "_losses", []
    yield layer, "_loss_ids", set()
    yield layer, "_called", layer._called
    # A functional model's inputs say what to cast to. A Sequential model has one inside, and asks
    # its input layer, too.
    graph = (layer._functional if isinstance(layer, keras.Sequential) else None) or layer
    tensors = graph._inputs if isinstance(graph, keras.Function) else ()
    inputs = [layer] if isinstance(layer, keras.layers.InputLayer) else []
    for part in filter(_is_float, [*inputs, *tensors]):
        yield part, "_dtype", dtype


def _is_float(part: Layer | KerasTensor | Variable) -> bool:
    return bool(keras.backend.is_float_dtype(part.dtype))
