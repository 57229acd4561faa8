"""The exact statistics of the whole data in place of batch norm's moving averages (course 2.8)."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfcourse.errors import InputError, WorkFailedError, shown
from tfcourse.formulas.pooling import Moments, feature_moments, pool_moments
from tfcourse.internals.layers import flatten_layers
from tfcourse.internals.tensorflow import allow_retracing
from tfcourse.models.graph import BATCH_NORMS
from tfcourse.models.input_batches import input_batches, inputs_of
from tfcourse.types import KerasModel, Layer, Nested, Tensor, TensorFunction, TrainingData

__all__ = ["recalibrate"]

# A layer whose input depends on its own output is measured until its statistics change by less than
# this, in units of its standard deviation; at most in this many passes.
_SETTLED, _PASSES = 1e-5, 50


def recalibrate(
    model: KerasModel, data: TrainingData, batch_size: int = 32, verbose: bool = True
) -> None:
    """Replace the moving averages of all batch norm by the exact statistics of the whole data.

    μ and σ² (divided by m) of every ``tfcourse.BatchNorm`` and
    ``keras.layers.BatchNormalization`` become those of its inputs over all of ``data`` in the
    final network at test time: a layer is measured after those before it have their new
    statistics, in one pass over the data for each layer of a chain. Frozen layers are
    included; the calls of a layer are pooled; masked positions do not count. The moments are
    computed in float64. After an error the model is as before.

    Args:
        model: Any Keras model: Sequential, functional, nested or subclassed.
        data: The data of the statistics, usually the training set: an array; a dict or list
            of arrays for several inputs; (x, y), of which x is used; or batches as ``model.fit``
            takes them, in a ``tf.data.Dataset``, a ``keras.utils.PyDataset``, a list, or
            any other iterable that can be iterated several times.
        batch_size: The number of examples of arrays in a batch, which only affects memory.
        verbose: Whether to show the progress.

    Raises:
        InputError: The model calls no batch norm, or calls it inside a loop; the data is empty,
            endless or can be iterated only once; the statistics are not finite.
        WorkFailedError: A layer called on its own output has no stable statistics.

    Source: Ioffe and Szegedy 2015, "Batch Normalization", Algorithm 2; course section 2.8.
    """
    if not isinstance(model, keras.Layer):
        raise InputError(f"recalibrate: model must be a Keras model. Received: {shown(model)}.")
    batches, count = input_batches(model, data, batch_size)
    first = next(iter(batches), None)
    if first is None:
        raise InputError("recalibrate: data must hold at least one example. Received: none.")
    if not model.built:
        _infer(model, inputs_of(first))
    groups = _groups(needs := _dependencies(model, inputs_of(first)))
    bar = keras.utils.Progbar(count and count * len(groups), verbose=int(bool(verbose)))
    before = [(variable, variable.numpy()) for variable in model.non_trainable_variables]
    try:
        for layers in groups:
            _calibrate(model, layers, any(needs[a] & {*layers} for a in layers), batches, bar)
    except BaseException:
        for variable, value in before:
            variable.assign(value)
        raise


def _calibrate(
    model: KerasModel,
    layers: list[Any],
    cyclic: bool,
    batches: Iterable[Nested],
    bar: keras.utils.Progbar,
) -> None:
    def pool(totals: list[Moments], x: Nested) -> list[Moments]:
        totals = [*totals]  # TensorFlow executes only the operations that they depend on.
        for call in _calls(model, layers, x):
            i = layers.index(call.layer)
            moments = feature_moments(call.inputs, call.layer.axis, call.mask)
            totals[i] = pool_moments(totals[i], moments)
        return totals

    step: TensorFunction = tf.function(pool, reduce_retracing=True, autograph=False)
    allow_retracing(step)  # A trace for each group is intended.
    for _ in range(_PASSES):
        zeros = [tf.zeros(layer.moving_mean.shape, tf.float64) for layer in layers]
        totals: list[Moments] = [(zero, zero, zero) for zero in zeros]
        for batch in batches:
            totals = step(totals, inputs_of(batch))
            bar.add(1)
        change = max(map(_assign, layers, totals))
        if not cyclic or change <= _SETTLED:
            return
    raise WorkFailedError(
        f"recalibrate: in {_PASSES} passes the statistics of {_names(layers)} did not settle: "
        "their inputs depend on them. Give each call a layer of its own."
    )


def _assign(layer: Layer, totals: Moments) -> float:
    """Set a layer's statistics; return the largest change, in units of its deviation."""
    count, mean, variance = (np.asarray(total) for total in totals)
    if not (count.all() and np.isfinite(mean).all() and np.isfinite(variance).all()):
        raise InputError(
            f"recalibrate: the inputs of batch-norm layer {_names([layer])} have no finite mean "
            "and variance. Look for NaN, infinity or masks of all positions in the data, and for "
            "NaN in the weights."
        )
    deviation = np.sqrt(variance + layer.epsilon)
    moved = np.abs(layer.moving_mean.numpy() - mean) / deviation
    spread = np.abs(layer.moving_variance.numpy() - variance) / deviation**2
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
    if getattr(layer, "moving_weight", None) is not None:
        layer.moving_weight.assign(1.0)
    if getattr(layer, "renorm", False):  # The next moving variance comes from it.
        layer.moving_stddev.assign(deviation)
    return float(max(moved.max(), spread.max()))


class _Call(NamedTuple):
    """A call of a batch-norm layer, as tensors of the model's graph."""

    layer: Any
    inputs: Any
    mask: Any
    outputs: Any


def _calls(model: KerasModel, layers: list[Any], x: Nested) -> list[_Call]:
    """Record the calls of the layers in the model at test time, by wrapping their ``call``."""
    calls = []

    def recording(layer: Layer, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(
            inputs: Tensor, training: bool | None = None, mask: Tensor | None = None, **kwargs: Any
        ) -> Any:
            outputs = original(inputs, training=training, mask=mask, **kwargs)
            calls.append(_Call(layer, inputs, mask, outputs))
            return outputs

        return call

    own = {layer: {"call": vars(layer)["call"]} for layer in layers if "call" in vars(layer)}
    try:
        for layer in layers:
            vars(layer)["call"] = recording(layer, layer.call)
        _infer(model, x)
    finally:
        for layer in layers:
            vars(layer).pop("call", None)
            vars(layer).update(own.get(layer, {}))
    return calls


def _infer(model: KerasModel, x: Nested) -> Any:
    takes_training = "training" in inspect.signature(model.call).parameters
    return model(x, training=False) if takes_training else model(x)


def _names(layers: Iterable[Any]) -> str:
    return ", ".join(f'"{layer.name}"' for layer in layers)


def _dependencies(model: KerasModel, x: Nested) -> dict[Any, set[Any]]:
    """Return the batch-norm layers that the model calls, each with those that it depends on."""
    layers = [layer for layer in flatten_layers(model) if isinstance(layer, BATCH_NORMS)]
    calls: list[_Call] = []
    trace = tf.function(lambda x: calls.extend(_calls(model, layers, x)), autograph=False)
    graph = trace.get_concrete_function(x).graph
    if not calls:
        raise InputError(f'recalibrate: model must call batch norm. "{model.name}" does not.')
    if inside := [call.layer for call in calls if call.inputs.graph is not graph]:
        raise InputError(
            f"recalibrate: batch-norm layer {_names(inside[:1])} is called inside a loop or a "
            "tf.function of its own, where it cannot be measured. Call it outside."
        )
    ends = {call.outputs.op: call.layer for call in calls}
    needs: dict[Any, set[Any]] = {call.layer: set() for call in calls}
    for call in calls:
        waiting, visited = [call.inputs.op], set()
        while waiting:
            op = waiting.pop()
            if op in ends:
                needs[call.layer].add(ends[op])
            if op not in visited:
                visited.add(op)
                waiting += [*(tensor.op for tensor in op.inputs), *op.control_inputs]
    return needs


def _groups(needs: dict[Any, set[Any]]) -> list[list[Any]]:
    """Return the layers that one pass can measure, pass by pass: each after its dependencies."""
    groups: list[list[Any]] = []
    waiting = [*needs]
    while waiting:
        ready = [
            layer
            for layer in waiting
            if all(other not in waiting or layer in needs[other] for other in needs[layer])
        ]
        groups.append(ready)
        waiting = [layer for layer in waiting if layer not in ready]
    return groups
