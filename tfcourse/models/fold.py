"""Batch norm folded into the linear layer before it, for inference (course sections 2.4, 2.8)."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from tfcourse.errors import InputError
from tfcourse.formulas.normalization import scale_and_shift
from tfcourse.internals.layers import flatten_layers, graph_nodes, keras_mask
from tfcourse.models.copies import clone_layer, copy_weights, has_graph, uncompiled
from tfcourse.models.graph import BATCH_NORMS
from tfcourse.types import KerasModel, KerasTensor, Layer, Variable

__all__ = ["FoldReport", "fold_batch_norm", "fold_report"]

_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
_PLAIN = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D)
_LINEAR = (*_PLAIN, *_TRANSPOSED, *_DEPTHWISE, *_SEPARABLE)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoldReport:
    """The names of a model's batch-norm layers that `fold_batch_norm` folds and does not fold.

    Attributes:
        folded: For each folded one, the layer into which it is folded.
        left: For each other one, the reason why it stays.
    """

    folded: Mapping[str, str]
    left: Mapping[str, str]


def fold_batch_norm(model: KerasModel) -> KerasModel:
    """Copy a model for inference, with batch norm folded into the layers before it.

    With the moving averages ``γ (xW+b-μ)/√(σ²+ε) + β = xW' + b'``, where ``W' = W s``,
    ``b' = (b-μ)s + β`` and ``s = γ/√(σ²+ε)``: the same outputs to rounding, without the layer's
    work and weights. It folds ``tfcourse.BatchNorm`` and ``keras.layers.BatchNormalization``
    that directly follow a Dense, Conv, DepthwiseConv, SeparableConv or ConvTranspose layer, also
    in models inside the model. The others stay; `fold_report` and the log
    ``tfcourse.models.fold``, at level INFO, name them and the reasons.

    Args:
        model: A built Sequential or functional model, which is not changed.

    Returns:
        The copy, Sequential or functional like the model, not compiled.

    Raises:
        InputError: The model is subclassed or not built.
    """
    report = fold_report(model)
    for name, layer in report.folded.items():
        _log.info('folded "%s" into "%s"', name, layer)
    for name, reason in report.left.items():
        _log.info('left "%s": %s', name, reason)
    return _fold(model)


def fold_report(model: KerasModel) -> FoldReport:
    """Report the layers that `fold_batch_norm` would fold, and why it would not fold the others.

    A layer in a model inside the model has both names: ``"inner/layer"``.

    Args:
        model: A built Sequential or functional model, which is not changed.

    Raises:
        InputError: The model is subclassed or not built.
    """
    plan = _plan(_functional(model))
    folded = {norm.name: layer.name for layer, norms in plan.absorbs.items() for norm in norms}
    obstacles = dict(plan.obstacles)
    for part in plan.layers:
        if has_graph(part):
            inner = fold_report(part)
            folded |= {f"{part.name}/{k}": f"{part.name}/{v}" for k, v in inner.folded.items()}
            obstacles |= {f"{part.name}/{k}": v for k, v in inner.left.items()}
        elif isinstance(part, keras.Layer):
            for norm in flatten_layers(part, include_self=False):
                if isinstance(norm, BATCH_NORMS):
                    reason = f'it is inside "{part.name}" ({type(part).__name__})'
                    obstacles[f"{part.name}/{norm.name}"] = reason
    return FoldReport(folded, obstacles)


def _functional(model: KerasModel) -> Any:
    """Return the model as a functional one of the same layers."""
    if not has_graph(model):
        raise InputError(
            "fold_batch_norm: model must be a Sequential or functional Keras model, whose layers "
            f"are known. Received: {type(model).__name__}."
        )
    if not isinstance(model, keras.Sequential):
        return model
    if not model.built:
        raise InputError(
            f'fold_batch_norm: model "{model.name}" must be built. Give it a keras.Input, or call '
            "it on a batch."
        )
    return keras.Model(model.inputs, model.outputs, name=model.name)


@dataclass(frozen=True)
class _Plan:
    layers: list[Any]
    absorbs: dict[Any, list[Any]]
    obstacles: dict[str, str]


def _plan(model: KerasModel) -> _Plan:
    """Return the batch-norm layers to fold into each layer of a model, and the others."""
    nodes = graph_nodes(model)
    calls = Counter(node.operation for node in nodes)
    uses = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    uses.update(map(id, model.outputs))
    source = {id(tensor): node.operation for node in nodes for tensor in node.outputs}
    plan = _Plan(list(calls), {}, {})
    for node in nodes:
        norm = node.operation
        if not isinstance(norm, BATCH_NORMS):
            continue
        tensor = node.input_tensors[0]
        layer = source[id(tensor)]
        reason = _obstacle_in_call(node, calls) or _obstacle_before(norm, layer, tensor)
        if not reason and calls[layer] > 1:
            reason = f'"{layer.name}" before it is called {calls[layer]} times'
        if not reason and uses[id(tensor)] > 1:
            reason = f'the output of "{layer.name}" is used elsewhere too'
        if reason:
            plan.obstacles[norm.name] = reason
        else:
            plan.absorbs.setdefault(layer, []).append(norm)
            source[id(node.outputs[0])] = layer
    return plan


def _obstacle_in_call(node: Any, calls: Counter[Any]) -> str:
    """Return the reason in its call why a batch-norm layer is not folded, or an empty text."""
    norm = node.operation
    if type(norm) not in BATCH_NORMS:
        return f"its class {type(norm).__name__} may compute something else"
    if calls[norm] > 1:
        return f"it is called {calls[norm]} times"
    if node.arguments.kwargs.get("training"):
        return "it is called with training=True"
    mask = node.arguments.kwargs.get("mask")
    if mask is not None and mask is not keras_mask(node.input_tensors[0]):
        return "it is called with a mask of its own"
    return ""


def _obstacle_before(norm: Layer, layer: Layer, tensor: KerasTensor) -> str:
    """Return the reason in the layer before it why batch norm is not folded, or an empty text."""
    if type(layer) not in _LINEAR:
        return f'it follows "{layer.name}" ({type(layer).__name__}), not a linear layer'
    if layer.activation is not keras.activations.linear:
        return f'"{layer.name}" before it has an activation'
    if layer.quantization_mode or getattr(layer, "lora_enabled", False):
        return f'"{layer.name}" before it is quantized or has LoRA weights'
    if layer.compute_dtype != norm.compute_dtype:
        return f'"{layer.name}" before it computes in {layer.compute_dtype}'
    rank = len(tensor.shape)
    first = getattr(layer, "data_format", None) == "channels_first"
    if norm.axis % rank != (1 if first and type(layer) is not layers.Dense else rank - 1):
        return f'its axis {norm.axis} is not that of the units or filters of "{layer.name}"'
    return ""


def _fold(model: KerasModel) -> KerasModel:
    """Copy a model without the layers that the plan folds; models inside are folded likewise."""
    view = _functional(model)
    plan = _plan(view)
    absorbed = {norm for norms in plan.absorbs.values() for norm in norms}
    pairs: list[tuple[Any, Any]] = []

    def clone(layer: Layer) -> Any:
        if layer in absorbed:
            return layer
        if has_graph(layer):
            return _fold(layer)
        new = clone_layer(layer, **({"use_bias": True} if layer in plan.absorbs else {}))
        pairs.append((layer, new))
        return new

    def call(layer: Layer, *args: Any, **kwargs: Any) -> Any:
        if layer in absorbed:
            return args[0] if args else kwargs["inputs"]
        return layer(*args, **kwargs)

    with uncompiled(view):
        copy = keras.models.clone_model(view, clone_function=clone, call_function=call)
    for layer, new in pairs:
        if layer in plan.absorbs:
            _fold_weights(layer, new, plan.absorbs[layer])
        else:
            copy_weights(layer, new)
    return keras.Sequential(copy.layers, name=model.name) if view is not model else copy


def _fold_weights(layer: Layer, new: Layer, norms: list[Any]) -> None:
    """Assign ``W' = W s`` and ``b' = (b-μ)s + β`` of each batch-norm layer, in float64."""
    scale: Any = 1.0
    shift: Any = 0.0 if layer.bias is None else _array(layer.bias)
    for norm in norms:
        gamma, beta = (None if p is None else _array(p) for p in (norm.gamma, norm.beta))
        mean, variance = _array(norm.moving_mean), _array(norm.moving_variance)
        factor, offset = scale_and_shift(mean, variance, gamma, beta, norm.epsilon)
        scale, shift = scale * _array(factor), shift * _array(factor) + _array(offset)
    name = "pointwise_kernel" if isinstance(layer, _SEPARABLE) else "kernel"
    kernel = _array(getattr(layer, name))
    if isinstance(layer, _TRANSPOSED):  # (..., filters, channels)
        weights = kernel * scale[:, None]
    elif isinstance(layer, _DEPTHWISE):  # (..., channels, multiplier)
        weights = kernel * scale.reshape(kernel.shape[-2:])
    else:  # (..., units or filters)
        weights = kernel * scale
    if isinstance(layer, _SEPARABLE):
        new.depthwise_kernel.assign(layer.depthwise_kernel)
    getattr(new, name).assign(weights)
    new.bias.assign(shift)


def _array(variable: Variable) -> Any:
    return np.asarray(variable, np.float64)
