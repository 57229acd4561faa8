"""The graph of a Keras model: which call of a layer feeds which, nested models opened up.

Keras keeps the graph of a functional or Sequential model as nodes, one per call of a layer. Here
nested models are replaced by what they hold, so that a layer sees its neighbours across their
walls. What runs inside a subclassed model or layer is Python code, and stays one closed call.
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
    "calls_as",
    "is_batch_norm",
    "named_layers",
    "nearest",
    "opened",
    "output_activation",
    "trace",
]

BATCH_NORMS = (BatchNorm, keras.layers.BatchNormalization)
# The layers that end with a bias for each channel and an activation.
_CONVOLUTIONS = [f"{kind}{n}D" for kind in ("DepthwiseConv", "SeparableConv") for n in (1, 2)]
_CONVOLUTIONS += [f"Conv{n}D{kind}" for kind in ("", "Transpose") for n in (1, 2, 3)]
WITH_BIAS = (keras.layers.Dense, *(getattr(keras.layers, name) for name in _CONVOLUTIONS))
_ACTIVATIONS = {"softmax_v2": "softmax"}  # the name that TensorFlow's own function has


@dataclass(eq=False)
class Call:
    """One call of a layer (or operation): what it is fed by, and what it feeds.

    Attributes:
        layer: The layer or operation.
        name: Its name, qualified by the nested models around it: ``"encoder/dense"``.
        shape: The shape of its (first) output, None for the batch.
        inference: Whether it, or a model around it, was called with ``training=False``.
        inputs: The calls whose outputs it takes.
        consumers: The calls that take its outputs.
        is_output: Whether the model gives its output.
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
    """The calls of a model in an order in which they can run, and those that give its outputs."""

    calls: tuple[Call, ...]
    outputs: tuple[Call, ...]

    def by_layer(self) -> list[list[Call]]:
        """The calls of each layer; a shared layer has several."""
        groups: dict[int, list[Call]] = {}
        for call in self.calls:
            groups.setdefault(id(call.layer), []).append(call)
        return list(groups.values())


def opened(model: Layer) -> Any:
    """The functional model behind a functional or Sequential one, None if its graph is not visible.

    It is not in a subclassed model or one that overrides ``call``, nor in a Sequential that does
    not know its input shape yet.
    """
    if isinstance(model, (keras.Sequential, keras.Function)):
        if not type(model).call.__module__.startswith("keras."):
            return None
        return functional_model(model) if isinstance(model, keras.Sequential) else model
    return None


def trace(model: KerasModel) -> Graph | None:
    """The graph of a functional or Sequential model; None where `opened` cannot see it."""
    functional = opened(model)
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
    """Adds the calls of a model to ``calls``; gives, by the tensors' ids, who produced them."""
    for node in graph_nodes(functional):
        if node.is_input and id(node.outputs[0]) in produced:
            continue  # an input of a nested model: whoever feeds it stands for it
        layer = node.operation
        sources = [produced[id(t)] for t in node.input_tensors if id(t) in produced]
        off = inference or node.arguments.kwargs.get("training") is False
        inner = None if node.is_input else opened(layer)
        if inner is None:
            call = Call(layer, prefix + layer.name, tuple(node.outputs[0].shape), off, sources)
            for source in sources:
                source.consumers.append(call)
            calls.append(call)
            produced.update((id(t), call) for t in node.outputs)
            continue
        fed = {id(t): source for t, source in zip(inner.inputs, sources, strict=False)}
        within = _trace(inner, fed, f"{prefix}{layer.name}/", off, calls)
        for outer, t in zip(node.outputs, inner.outputs, strict=True):
            produced[id(outer)] = within[id(t)]
    return produced


def nearest(call: Call, way: str, counts: Callable[[Call], bool]) -> list[Call]:
    """The first calls that count on each path from ``call``, along its ``"inputs"`` or
    ``"consumers"``."""
    found: list[Call] = []
    seen: set[int] = set()
    waiting: list[Call] = list(getattr(call, way))
    while waiting:
        other = waiting.pop()
        if id(other) in seen:
            continue
        seen.add(id(other))
        if counts(other):
            found.append(other)
        else:
            waiting.extend(getattr(other, way))
    return found


def named_layers(model: KerasModel) -> Iterator[tuple[str, Any]]:
    """Every layer inside a model with its qualified name, found by attributes, graph or not."""
    waiting: list[tuple[str, Any]] = [("", model)]
    seen: set[int] = set()
    while waiting:
        prefix, owner = waiting.pop(0)
        own = (
            owner.layers if isinstance(owner, keras.Model) else flatten_layers(owner, False, False)
        )
        for layer in own:
            if id(layer) not in seen:
                seen.add(id(layer))
                yield prefix + layer.name, layer
                waiting.append((f"{prefix}{layer.name}/", layer))


def is_batch_norm(layer: Layer) -> bool:
    """Whether a layer is batch norm, ours or Keras's; not a subclass with a ``call`` of its own."""
    return calls_as(layer, BATCH_NORMS)


def calls_as(layer: Layer, kinds: tuple[Any, ...]) -> bool:
    """Whether a layer is of one of the kinds, without a ``call`` of its own."""
    return any(isinstance(layer, kind) and type(layer).call is kind.call for kind in kinds)


def activation_of(layer: Layer) -> str | None:
    """The name of the activation that a layer or operation ends with.

    None if that cannot be told (a layer of another kind, or one that overrides ``call``).
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
    """The call behind a model's output, past reshaping and casting, and its activation."""
    call = output
    while len(call.inputs) == 1 and _passes_on(call):
        call = call.inputs[0]
    return call, activation_of(call.layer)


def _passes_on(call: Call) -> bool:
    """Whether a call gives the values that it takes, the last axis staying the last."""
    layer = call.layer
    if isinstance(layer, keras.layers.Reshape):
        return call.shape[-1] == call.inputs[0].shape[-1]
    if isinstance(layer, keras.layers.Activation):
        return activation_of(layer) == "linear"
    return isinstance(layer, keras.layers.Identity)
