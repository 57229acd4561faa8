"""The graph of the layer calls of a Keras model, with nested models replaced by their layers.

Keras has the graph of a functional or Sequential model as nodes, one for each call of a layer.
Here nested models are replaced by their layers, so that each layer has its real neighbors. A
subclassed model or layer runs Python code, and is one call.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras

from tfcourse.internals.layers import flatten_layers, functional_model, graph_nodes
from tfcourse.layers import BatchNorm, SoftmaxHead
from tfcourse.types import KerasModel, Layer

__all__ = [
    "BATCH_NORMS",
    "WITH_BIAS",
    "Call",
    "Graph",
    "activation_of",
    "as_functional",
    "calls_as",
    "is_batch_norm",
    "named_layers",
    "nearest",
    "output_activation",
    "trace",
]

BATCH_NORMS = (BatchNorm, keras.layers.BatchNormalization)
# The layers with a bias for each channel and an activation at their end.
_CONVOLUTIONS = [f"{kind}{n}D" for kind in ("DepthwiseConv", "SeparableConv") for n in (1, 2)]
_CONVOLUTIONS += [f"Conv{n}D{kind}" for kind in ("", "Transpose") for n in (1, 2, 3)]
WITH_BIAS = (keras.layers.Dense, *(getattr(keras.layers, name) for name in _CONVOLUTIONS))
_ACTIVATIONS = {"softmax_v2": "softmax"}  # the name that TensorFlow's own function has


@dataclass(eq=False)
class Call:
    """One call of a layer (or operation), with the calls before and after it.

    Attributes:
        layer: The layer or operation.
        name: Its name, qualified by the nested models around it: ``"encoder/dense"``.
        shape: The shape of its (first) output, None for the batch.
        inference: Whether it, or a model around it, was called with ``training=False``.
        inputs: The calls whose outputs it takes.
        consumers: The calls that take its outputs.
        is_output: Whether its output is one of the model.
    """

    layer: Any
    name: str
    shape: tuple[int | None, ...]
    inference: bool = False
    inputs: list["Call"] = field(default_factory=list)
    consumers: list["Call"] = field(default_factory=list)
    is_output: bool = False


@dataclass(frozen=True)
class Graph:
    """The calls of a model in an order in which they can run, and those of its outputs."""

    calls: tuple[Call, ...]
    outputs: tuple[Call, ...]

    def by_layer(self) -> list[list[Call]]:
        """Return the calls of each layer; a shared layer has several."""
        groups: dict[int, list[Call]] = {}
        for call in self.calls:
            groups.setdefault(id(call.layer), []).append(call)
        return list(groups.values())


def as_functional(model: Layer) -> Any:
    """Return the functional model of a functional or Sequential one, None if it has no graph.

    A subclassed model has none, nor a model that overrides ``call``, nor a Sequential model of
    unknown input shape.
    """
    if isinstance(model, (keras.Sequential, keras.Function)):
        if not type(model).call.__module__.startswith("keras."):
            return None
        return functional_model(model) if isinstance(model, keras.Sequential) else model
    return None


def trace(model: KerasModel) -> Graph | None:
    """Return the graph of a model, or None if `as_functional` finds none."""
    functional = as_functional(model)
    if functional is None:
        return None
    calls: list[Call] = []
    produced = _trace(functional, {}, "", False, calls)
    outputs = tuple(produced[id(tensor)] for tensor in functional.outputs)
    for call in outputs:
        call.is_output = True
    return Graph(tuple(calls), outputs)


def _trace(
    functional: KerasModel,
    produced: dict[int, Call],
    prefix: str,
    inference: bool,
    calls: list[Call],
) -> dict[int, Call]:
    """Add the calls of a model to ``calls``; return the calls by the ids of their tensors."""
    for node in graph_nodes(functional):
        if node.is_input and id(node.outputs[0]) in produced:
            continue  # an input of a nested model, replaced by the call before it
        layer = node.operation
        sources = [produced[id(t)] for t in node.input_tensors if id(t) in produced]
        off = inference or node.arguments.kwargs.get("training") is False
        inner = None if node.is_input else as_functional(layer)
        if inner is None:
            call = Call(layer, prefix + layer.name, tuple(node.outputs[0].shape), off, sources)
            for source in sources:
                source.consumers.append(call)
            calls.append(call)
            produced.update((id(t), call) for t in node.outputs)
            continue
        sources_of = {id(t): source for t, source in zip(inner.inputs, sources, strict=False)}
        within = _trace(inner, sources_of, f"{prefix}{layer.name}/", off, calls)
        for outer, t in zip(node.outputs, inner.outputs, strict=True):
            produced[id(outer)] = within[id(t)]
    return produced


def nearest(call: Call, direction: str, counts: Callable[[Call], bool]) -> list[Call]:
    """Return the first calls that count on each path along ``"inputs"`` or ``"consumers"``."""
    result: list[Call] = []
    visited: set[int] = set()
    waiting: list[Call] = list(getattr(call, direction))
    while waiting:
        other = waiting.pop()
        if id(other) in visited:
            continue
        visited.add(id(other))
        if counts(other):
            result.append(other)
        else:
            waiting.extend(getattr(other, direction))
    return result


def named_layers(model: KerasModel) -> Iterator[tuple[str, Any]]:
    """Yield every layer inside a model with its qualified name, also of a model without a graph."""
    waiting: list[tuple[str, Any]] = [("", model)]
    visited: set[int] = set()
    while waiting:
        prefix, owner = waiting.pop(0)
        own = (
            owner.layers if isinstance(owner, keras.Model) else flatten_layers(owner, False, False)
        )
        for layer in own:
            if id(layer) not in visited:
                visited.add(id(layer))
                yield prefix + layer.name, layer
                waiting.append((f"{prefix}{layer.name}/", layer))


def is_batch_norm(layer: Layer) -> bool:
    """Return whether a layer is our or Keras's batch norm, with its own ``call``."""
    return calls_as(layer, BATCH_NORMS)


def calls_as(layer: Layer, kinds: tuple[Any, ...]) -> bool:
    """Return whether a layer is of one of the kinds and does not override ``call``."""
    return any(isinstance(layer, kind) and type(layer).call is kind.call for kind in kinds)


def activation_of(layer: Layer) -> str | None:
    """Return the name of the activation at the end of a layer or operation.

    It is None for a layer of another kind, or one that overrides ``call``.
    """
    if isinstance(layer, keras.layers.TimeDistributed):
        return activation_of(layer.layer)
    if isinstance(layer, SoftmaxHead):
        return "linear" if layer.logits else "softmax"
    name = type(layer).__name__
    if isinstance(layer, keras.layers.Softmax) or (
        name in ("Softmax", "Sigmoid") and not isinstance(layer, keras.Layer)
    ):
        return name.lower() if getattr(layer, "axis", -1) == -1 else None
    if calls_as(layer, (*WITH_BIAS, keras.layers.EinsumDense, keras.layers.Activation)):
        name = getattr(layer.activation, "__name__", "")
        return _ACTIVATIONS.get(name, name)
    return None


def output_activation(output: Call) -> tuple[Call, str | None]:
    """Return the call of a model's output, before reshaping and casting, and its activation."""
    call = output
    while len(call.inputs) == 1 and _is_identity(call):
        call = call.inputs[0]
    return call, activation_of(call.layer)


def _is_identity(call: Call) -> bool:
    """Return whether a call returns its input's values, and the last axis remains the last."""
    layer = call.layer
    if isinstance(layer, keras.layers.Reshape):
        return call.shape[-1] == call.inputs[0].shape[-1]
    if isinstance(layer, keras.layers.Activation):
        return activation_of(layer) == "linear"
    return isinstance(layer, keras.layers.Identity)
