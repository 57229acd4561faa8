"""A classifier's logits in place of its probabilities, and probabilities at a temperature."""

from typing import Any, Literal, NamedTuple

import keras
import numpy as np

from tfcourse.errors import InputError
from tfcourse.internals.layers import functional_model
from tfcourse.layers.softmax_head import SoftmaxHead
from tfcourse.models.copies import clone_layer, copy_weights, has_graph, uncompiled
from tfcourse.models.graph import Call, Graph, output_activation, trace
from tfcourse.models.swap import exchanged_copy
from tfcourse.types import KerasModel, KerasTensor, Layer, Nested

__all__ = ["Kind", "LogitsModel", "logits_copy", "output_kind", "with_temperature"]

# The function that makes a model's outputs probabilities: of C classes, or of yes.
Kind = Literal["softmax", "sigmoid"]


class LogitsModel(NamedTuple):
    """A copy of a classifier that returns logits.

    Attributes:
        model: The copy, a functional model that is not compiled.
        kind: The function that makes its outputs probabilities.
        is_exact: False if they are logarithms of the model's probabilities, which are rounded.
    """

    model: KerasModel
    kind: Kind
    is_exact: bool


def logits_copy(model: KerasModel, x: Nested, outputs: Nested) -> LogitsModel:
    """Return a copy of a classifier without the softmax or sigmoid at its end.

    Of a subclassed model, which is not copied but called, and of one whose last layer is used
    elsewhere too, logits are the logarithms of the probabilities.

    Args:
        model: A built classifier with one output, which is not changed.
        x: Some examples, nested as the model's inputs.
        outputs: The model's outputs for them.

    Raises:
        InputError: It has several outputs or several yes-or-no outputs, or they are not finite.
    """
    graph = trace(model) if has_graph(model) else None
    kind, is_probability = output_kind(model, outputs, "calibrate")
    call, activation = output_activation(graph.outputs[0]) if graph else (None, None)
    layer = None
    if graph and call and activation == kind and _is_removable(call, graph):
        layer = call.layer
    if graph:
        copy = _copy(model, layer)
        inputs, tensor = copy.inputs, copy.outputs[0]
    else:
        inputs = keras.tree.map_structure(
            lambda part: keras.Input(part.shape[1:], dtype=part.dtype.name), x
        )
        tensor = model(inputs)
    is_exact = layer is not None or not is_probability
    tensor = tensor if is_exact else _log_odds(tensor, kind)
    return LogitsModel(keras.Model(inputs, tensor), kind, is_exact)


def output_kind(model: KerasModel, outputs: Nested, caller: str) -> tuple[Kind, bool]:
    """Return the kind of a classifier's outputs, and whether they are probabilities or logits.

    Args:
        model: The classifier.
        outputs: Its outputs for some examples, which decide where its last layer is not visible.
        caller: The function's name, for errors.

    Raises:
        InputError: They are several outputs or several yes-or-no outputs, or not finite.
    """
    if isinstance(outputs, list | tuple | dict):
        raise InputError(f"{caller}: model must have one output. Received: {len(outputs)} outputs.")
    if not np.isfinite(outputs).all():
        raise InputError(
            f"{caller}: the model's outputs must be finite. Look for NaN in x and in the weights."
        )
    graph = trace(model) if has_graph(model) else None
    activation = output_activation(graph.outputs[0])[1] if graph else None
    kind: Kind = "sigmoid" if outputs.shape[-1] == 1 else "softmax"
    is_probability = activation in ("softmax", "sigmoid")
    if activation != "linear" and not is_probability:
        is_probability = bool(((outputs >= 0) & (outputs <= 1)).all())
    if kind == "softmax" and is_probability and not np.allclose(outputs.sum(-1), 1, atol=1e-2):
        raise InputError(
            f"{caller}: model must have exclusive classes (softmax) or one yes-or-no output "
            f"(sigmoid). Received: outputs of shape {outputs.shape}, whose rows do not sum to 1."
        )
    return kind, is_probability


def with_temperature(logits: LogitsModel, temperature: float) -> KerasModel:
    """Return a model whose probabilities are those of the logits divided by a temperature.

    It has Keras's layers alone, so that it loads without tfcourse, if `tfcourse.swap` can exchange
    the others.
    """
    tensor = logits.model.outputs[0]
    dtype = "float64" if tensor.dtype == "float64" else "float32"
    tensor = keras.layers.Rescaling(1 / temperature, name="temperature", dtype=dtype)(tensor)
    activation = keras.layers.Activation(logits.kind, name="probabilities", dtype=dtype)
    model = keras.Model(logits.model.inputs, activation(tensor), name="calibrated")
    try:
        return exchanged_copy(model, "keras")
    except InputError:
        return model


def _is_removable(call: Call, graph: Graph) -> bool:
    """Return whether a layer's activation can be left out, and serves the output alone."""
    layer = call.layer
    has_activation = isinstance(layer, SoftmaxHead | keras.layers.Softmax) or hasattr(
        layer, "activation"
    )
    # Every call leads to the one output, so that only this layer's own calls can come before it.
    return has_activation and sum(other.layer is layer for other in graph.calls) == 1


def _copy(model: KerasModel, last: Layer | None) -> KerasModel:
    """Copy a model, with the identity as the activation of the layer ``last``."""
    view = functional_model(model) if isinstance(model, keras.Sequential) else model
    pairs: list[tuple[Any, Any]] = []

    def clone(layer: Layer) -> Any:
        if has_graph(layer):
            return _copy(layer, last)
        if layer is last and isinstance(layer, keras.layers.Softmax):
            return layer
        pairs.append((layer, _without_activation(layer) if layer is last else clone_layer(layer)))
        return pairs[-1][1]

    def call(layer: Layer, *args: Any, **kwargs: Any) -> Any:
        # Only a Softmax, of which nothing remains, is not a copy.
        return args[0] if layer is last else layer(*args, **kwargs)

    with uncompiled(view):
        copy: KerasModel = keras.models.clone_model(view, clone_function=clone, call_function=call)
    for layer, new in pairs:
        copy_weights(layer, new)
    return copy


def _without_activation(layer: Layer) -> Any:
    if isinstance(layer, SoftmaxHead):
        return clone_layer(layer, logits=True)
    return clone_layer(layer, activation="linear")


def _log_odds(probabilities: KerasTensor, kind: Kind) -> Any:
    """Return the logits of probabilities; one that is rounded to 0 counts as the smallest float."""
    tiny = float(np.finfo(np.float32).tiny)
    logits = keras.ops.log(keras.ops.maximum(probabilities, tiny))
    if kind == "sigmoid":
        logits -= keras.ops.log(keras.ops.maximum(1 - probabilities, tiny))
    return logits
