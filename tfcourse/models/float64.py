"""A cost as a compiled float64 function of its parameters, also of a model built in float32."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.data.frames import as_examples
from tfcourse.errors import InputError
from tfcourse.internals.dtypes import dtype_settings
from tfcourse.internals.layers import takes_training
from tfcourse.internals.models import CompileLoss, compiled_loss, compute_loss
from tfcourse.types import (
    DType,
    Graph,
    KerasModel,
    LossLike,
    Nested,
    SampleWeight,
    Tensor,
    TensorLike,
)

__all__ = ["Cost", "model_cost", "trace"]

# The errors of code that makes float32 tensors of its own, and of plain mistakes.
_MISMATCHES = (TypeError, ValueError, NotImplementedError, tf.errors.InvalidArgumentError)


@dataclass(frozen=True)
class Cost:
    """A scalar function of several parameters, each a flat float64 vector.

    Attributes:
        names: The name of each parameter.
        values: The parameters at which the gradient is checked, each in its own shape.
        evaluate: The flat parameters -> J.
        gradient: The flat parameters -> the gradient with respect to each, flat.
        unconnected: The names of those that the tape does not connect with J.
    """

    names: list[str]
    values: list[Any]
    evaluate: Callable[..., Any]
    gradient: Callable[..., Any]
    unconnected: list[str]


def trace(what: str, function: Callable[..., Any], names: list[str], values: list[Any]) -> Cost:
    """Compile a function of float64 parameters and its gradient, each once.

    Args:
        what: The model or function, for messages: ``'model "mlp"'``.
        function: A function of the parameters in their own shapes that returns a scalar.
        names: The names of the parameters.
        values: The parameters, as float64 arrays.

    Raises:
        InputError: The function fails, does not return a floating-point scalar, or computes with
            less than float64 somewhere between the parameters and the cost.
    """
    unconnected: list[str] = []

    def evaluate(*flat: Tensor) -> Any:
        shaped = [tf.reshape(v, value.shape) for v, value in zip(flat, values, strict=True)]
        cost = tf.convert_to_tensor(function(*shaped))
        if cost.shape.rank != 0 or not cost.dtype.is_floating:
            raise InputError(
                f"gradient_check: {what} must give a scalar cost, a floating-point number. "
                f"Received: shape {cost.shape}, {cost.dtype.name}."
            )
        return cost

    def gradient(*flat: Tensor) -> list[Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(flat)
            cost = evaluate(*flat)
        gradients = tape.gradient(cost, flat)
        unconnected[:] = [n for n, g in zip(names, gradients, strict=True) if g is None]
        pairs = zip(flat, gradients, strict=True)
        return [tf.zeros_like(v) if g is None else tf.convert_to_tensor(g) for v, g in pairs]

    specs = [tf.TensorSpec([value.size], tf.float64) for value in values]
    try:
        try:
            program = tf.function(evaluate, autograph=False).get_concrete_function(*specs)
        except tf.errors.OperatorNotAllowedInGraphError:  # ``if cost > 0:`` and the like
            function = tf.autograph.to_graph(function)
            program = tf.function(evaluate, autograph=False).get_concrete_function(*specs)
        gradient_program = tf.function(gradient, autograph=False).get_concrete_function(*specs)
    except InputError:
        raise
    except _MISMATCHES as error:
        raise InputError(
            f"gradient_check: {what} could not be computed in float64: {_reason(error)}. If this "
            "is a matter of dtypes, let it make tensors of the dtype of its inputs, such as "
            "tf.zeros_like(x), not of float32."
        ) from error
    _check_precision(what, program.graph, program.graph.inputs[: len(specs)])
    return Cost(names, values, program, gradient_program, unconnected)


def _reason(error: Exception) -> str:
    """Return the first line of a message, or two of Keras's: the layer, then the reason in bold."""
    lines = [line for line in re.sub(r"\x1b\[\d*m", "", str(error)).splitlines() if line.strip()]
    first = lines[:2] if "Exception encountered" in str(error) else lines[:1]
    return " ".join(first or [type(error).__name__]).strip().rstrip(".")


def _check_precision(what: str, graph: Graph, parameters: list[Any]) -> None:
    """Raise InputError if a cost is rounded to less than float64 after the parameters."""
    needed, waiting = set(), [graph.outputs[0].op]
    while waiting:
        if (op := waiting.pop()) not in needed:
            needed.add(op)
            waiting += [tensor.op for tensor in op.inputs]
    reached = {tensor.name for tensor in parameters}
    for op in graph.get_operations():  # inputs come before their consumers
        if not any(tensor.name in reached for tensor in op.inputs):
            continue
        # Comparisons, classes and shapes have no derivative.
        outputs = [t for t in op.outputs if not (t.dtype.is_integer or t.dtype.is_bool)]
        reached |= {tensor.name for tensor in outputs}
        if op in needed and (narrow := [t.dtype for t in outputs if _is_narrow(t.dtype)]):
            raise _imprecise(what, op.name, narrow[0])
    for body in graph.as_graph_def().library.function:  # loops and branches
        for node in body.node_def:
            if node.op == "Cast" and node.attr["SrcT"].type == tf.float64.as_datatype_enum:
                dtype = tf.as_dtype(node.attr["DstT"].type)
                if _is_narrow(dtype):
                    raise _imprecise(what, node.name, dtype)


def _is_narrow(dtype: DType) -> bool:
    return bool(dtype.is_floating and dtype != tf.float64)


def _imprecise(what: str, operation: str, dtype: DType) -> InputError:
    return InputError(
        f'gradient_check: {what} computes "{operation}" in {dtype.name}, whose rounding is larger '
        "than the differences to measure. Let it keep the dtype of its inputs there; a loss or "
        'layer inside another may need dtype="float64".'
    )


def model_cost(
    model: KerasModel,
    x: Nested,
    y: Nested,
    sample_weight: SampleWeight,
    loss: LossLike | None,
    training: bool,
) -> tuple[Callable[..., Any], list[str], list[Any]]:
    """Return the cost of a Keras model as a function of its trainable weights in float64.

    The model's own code is traced while the weights, inputs, dtype policies and losses are set to
    float64, with the function's arguments in place of the weights. So this model itself is
    computed, and not a copy made from its config; and a call changes its state (moving
    statistics, seeds, the states of layers) in that trace alone: each evaluation begins with the
    same state.

    Args:
        model: A built Keras model.
        x: Its inputs: an array, or a list or dict of them.
        y: The labels, likewise.
        sample_weight: The examples' weights, or None.
        loss: A loss for the model instead of the compiled one, or None.
        training: Whether to call the model as in training.

    Returns:
        The function, and the paths and values of its arguments.
    """
    weights = model.trainable_weights
    x, y, sample_weight = (_in_float64(data) for data in (x, y, sample_weight))
    others = [v for v in model.variables if not any(v is weight for weight in weights)]
    state = [(variable, _in_float64(variable.numpy())) for variable in others]
    compiled = compiled_loss(model) if loss is None else _compiled(model, loss)
    with keras.StatelessScope():
        keras.random.uniform(())  # Keras's global seed generator must not be made in the trace.

    def cost(*parameters: Tensor) -> Any:
        scope = keras.StatelessScope(collect_losses=True, initialize_variables=False)
        for variable, value in [*zip(weights, parameters, strict=True), *state]:
            scope.add_update((variable, value))
        with _float64_computation(model, compiled), scope:
            outputs = model(x, training=training) if takes_training(model) else model(x)
            return compute_loss(model, x, y, outputs, sample_weight, training)

    paths: list[str] = []
    for weight in weights:
        again = sum(path.split("#")[0] == weight.path for path in paths)
        paths.append(f"{weight.path}#{again + 1}" if again else weight.path)
    return cost, paths, [weight.numpy().astype(np.float64) for weight in weights]


def _compiled(model: KerasModel, loss: LossLike) -> CompileLoss:
    """Return a loss as ``model.compile`` would wrap it, without compiling the model."""
    holder = keras.Sequential()
    holder.compile(loss=loss)
    compiled = compiled_loss(holder)
    assert compiled is not None
    compiled.output_names = getattr(model, "output_names", None)
    return compiled


def _in_float64(data: Nested) -> Any:
    """Convert arrays to tensors, those of floating point to float64."""

    def convert(leaf: TensorLike) -> Any:
        array = leaf if tf.is_tensor(leaf) else as_examples(leaf, "gradient_check: the data")
        tensor = tf.convert_to_tensor(array)
        return tf.cast(tensor, tf.float64) if tensor.dtype.is_floating else tensor

    return None if data is None else tf.nest.map_structure(convert, data)


@contextlib.contextmanager
def _float64_computation(model: KerasModel, compiled: CompileLoss | None) -> Iterator[None]:
    floatx = keras.config.floatx()
    keras.config.set_floatx("float64")
    before = []
    try:
        for thing, name, value in dtype_settings(model, compiled, "float64"):
            before.append((thing, name, vars(thing)[name]))
            vars(thing)[name] = value
        yield
    finally:
        for thing, name, value in reversed(before):
            vars(thing)[name] = value
        keras.config.set_floatx(floatx)
