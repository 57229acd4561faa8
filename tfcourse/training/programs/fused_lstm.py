"""Small LSTM layers by TensorFlow's kernel for a whole sequence."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import keras
import tensorflow as tf

from tfcourse.internals.layers import flatten_layers
from tfcourse.training.programs.step import Step, overrides, runs_eagerly
from tfcourse.types import KerasModel, Layer, Nested, Tensor

__all__ = ["fused_layers", "fused_step"]

# Returns the last output, all outputs and the last state.
InnerLoop = Callable[..., tuple[Tensor, Tensor, list[Tensor]]]

# Beyond, the kernel's products on one core take longer than Keras's loop, which uses them all.
MOST_WEIGHTS = 10_000


def fused_layers(model: KerasModel) -> list[Layer]:
    """Return the LSTM layers of a model that the kernel computes in less time than Keras's loop.

    On two CPU cores in 0.4 to 0.7 of it for batches of 32 to 128, with kernels of at most 10 000
    weights; Keras's loop runs 20 operations a time step. The numbers are the same up to rounding.

    The kernel's gradient has no gradient, which code of the user's own may take (a penalty of
    gradients). So a model with a step or ``compute_loss`` of its own has none of them, and neither
    has a layer or model with its own ``call``.
    """
    own = ("train_step", "test_step", "compute_loss")
    if runs_eagerly(model) or any(overrides(model, name) for name in own):
        return []
    if tf.config.list_physical_devices("GPU"):
        return []  # where Keras calls cuDNN
    layers = flatten_layers(model)
    callers = [layer for layer in layers if not _is_called_by_keras(layer)]
    inside = {id(layer) for caller in callers for layer in flatten_layers(caller)}
    return [layer for layer in layers if id(layer) not in inside and _is_fusible(layer)]


def _is_called_by_keras(layer: Layer) -> bool:
    return type(layer).call.__module__.startswith("keras.")


def _is_fusible(layer: Layer) -> bool:
    if type(layer) is not keras.layers.LSTM or not layer.built:
        return False
    cell = layer.cell
    return (
        cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
        and cell.use_bias
        and not cell.recurrent_dropout
        and (cell.implementation == 2 or not cell.dropout)  # 1 has a mask for each gate
        and layer.compute_dtype == "float32"
        and _weights(cell) <= MOST_WEIGHTS
    )


def _weights(cell: Layer) -> int:
    return sum(math.prod(kernel.shape) for kernel in (cell.kernel, cell.recurrent_kernel))


def fused_step(step: Step, model: KerasModel) -> Step:
    """Return a step of a model with its `fused_layers` computed by the kernel."""

    def call(batch: Nested) -> Nested:
        with _by_kernel(fused_layers(model)):
            return step.call(batch)

    return replace(step, call=call)


@contextmanager
def _by_kernel(layers: Sequence[Layer]) -> Iterator[None]:
    """Have LSTM layers run their time steps by the kernel."""
    for layer in layers:
        layer.__dict__["inner_loop"] = _inner_loop(layer)
    try:
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("inner_loop")


def _inner_loop(layer: Layer) -> InnerLoop:
    """Return the method ``inner_loop`` of an LSTM layer, by the kernel where there is no mask."""
    by_steps: InnerLoop = layer.inner_loop
    cell = layer.cell

    def inner_loop(
        sequences: Tensor, initial_state: Sequence[Tensor], mask: Tensor, training: bool = False
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        if mask is not None:
            return by_steps(sequences, initial_state, mask, training)
        if training and cell.dropout:
            sequences *= cell.get_dropout_mask(sequences[:, 0, :])[:, tf.newaxis]
        times = tf.transpose(sequences, [1, 0, 2])
        if layer.go_backwards:
            times = tf.reverse(times, [0])
        outputs, last = _run_kernel(times, initial_state, cell)
        return outputs[-1], tf.transpose(outputs, [1, 0, 2]), [outputs[-1], last]

    return inner_loop


def _run_kernel(times: Tensor, state: Sequence[Tensor], cell: Layer) -> tuple[Tensor, Tensor]:
    """Return the outputs at all time steps, and the last carry.

    Args:
        times: The inputs, of shape (time steps, batch, features).
        state: The first output and carry.
        cell: Keras's cell.
    """
    parts = cell.kernel, cell.recurrent_kernel, tf.expand_dims(cell.bias, 0)
    # The kernel has the gates in the order i, c, f, o. (That of BlockLSTMV2 is Keras's, but its
    # gradient is wrong in TensorFlow 2.21.)
    i, f, c, o = tf.split(tf.concat([tf.convert_to_tensor(part) for part in parts], 0), 4, axis=1)
    weights = tf.concat([i, c, f, o], 1)
    unused = tf.zeros([cell.units])
    results = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.shape(times, tf.int64)[0],
        x=times,
        h_prev=state[0],
        cs_prev=state[1],
        w=weights[:-1],
        b=weights[-1],
        wci=unused,
        wcf=unused,
        wco=unused,
        forget_bias=0.0,
        cell_clip=-1.0,
        use_peephole=False,
    )
    return results.h, results.cs[-1]
