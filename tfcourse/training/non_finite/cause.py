"""The first layer whose output is not finite on a batch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from tfcourse.internals.layers import flatten_layers
from tfcourse.training.programs.finite import all_finite
from tfcourse.types import KerasModel, Layer, Nested

__all__ = ["cause"]


def cause(model: KerasModel, batch: Nested) -> tuple[str | None, str]:
    """Return the first layer whose output is not finite on a batch, and a sentence about it.

    The model's seeds and moving averages change as in a step.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    if not _finite(x):
        return None, "x of that batch holds NaN or infinity."
    standard = type(model).train_step is keras.Model.train_step
    with _non_finite_layers(model) as names:
        y_pred = model(x, training=True)
        loss = model.compute_loss(x, y, y_pred, sample_weight) if standard else None
    if names:
        return names[0], f'The first output that is not finite is that of layer "{names[0]}".'
    if not standard:
        return None, "Every layer's output is finite on that batch."
    if not _finite(loss):
        return None, "Every layer's output is finite, but the loss of that batch is not."
    return None, "The loss of that batch is finite, but the weights after its step are not."


@contextmanager
def _non_finite_layers(model: KerasModel) -> Iterator[list[str]]:
    """Collect the names of the layers whose output is not finite, in the order of their calls."""
    names: list[str] = []
    layers = [layer for layer in flatten_layers(model, include_self=False) if layer.built]

    def wrap_call(layer: Layer) -> Callable[..., Nested]:
        call = layer.call

        def wrapper(*args: object, **kwargs: object) -> Nested:
            outputs = call(*args, **kwargs)
            if not _finite(outputs):
                names.append(layer.name)
            return outputs

        return wrapper

    # Around Keras's own __setattr__, which would track the wrapper as a part of the layer.
    for layer in layers:
        object.__setattr__(layer, "call", wrap_call(layer))
    try:
        yield names
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")


def _finite(tensors: Nested) -> bool:
    leaves = [leaf for leaf in keras.tree.flatten(tensors) if isinstance(leaf, tf.Tensor)]
    return bool(all_finite(leaves))
