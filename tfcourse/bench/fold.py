"""Inference with batch norm folded into the layers before it, beside the model as trained."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfcourse.bench.frame import Comparison, Contender, compare
from tfcourse.bench.networks import convolutions
from tfcourse.models.build import mlp
from tfcourse.models.fold import fold_batch_norm
from tfcourse.types import Array, KerasModel, Tensor

__all__ = ["bench"]

FOLDED, TRAINED = "folded", "as trained"


def bench(repeats: int = 7) -> list[Comparison]:
    """Time inference of an MLP, a small convnet and Keras's MobileNetV2, as one compiled call.

    Args:
        repeats: The number of rounds.

    Raises:
        RuntimeError: A folded model's outputs differ.
    """
    works = {
        "mlp 64-128-128-10, 256 examples": (mlp((64,), 10, units=128), (256, 64)),
        "convnet 28×28, 64 examples": (_convnet(), (64, 28, 28, 1)),
        "MobileNetV2 96×96, 8 examples": (
            keras.applications.MobileNetV2((96, 96, 3), weights=None),
            (8, 96, 96, 3),
        ),
    }
    return [_compare(name, model, shape, repeats) for name, (model, shape) in works.items()]


def _convnet() -> KerasModel:
    hidden = convolutions(keras.layers.BatchNormalization)
    head = keras.layers.Dense(10, "softmax")
    return keras.Sequential([keras.Input((28, 28, 1)), *hidden, head])


def _compare(name: str, model: KerasModel, shape: tuple[int, ...], repeats: int) -> Comparison:
    inputs = tf.random.stateless_normal(shape, [0, 1])
    runs = {FOLDED: _inference(fold_batch_norm(model), inputs), TRAINED: _inference(model, inputs)}
    folded, trained = (run() for run in runs.values())
    if not np.allclose(folded, trained, rtol=1e-4, atol=1e-6):
        raise RuntimeError(
            f"The folded model of {name} computes other outputs than the trained one."
        )
    return compare(name, [Contender(n, run) for n, run in runs.items()], repeats=repeats)


def _inference(model: KerasModel, inputs: Tensor) -> Callable[[], Array]:
    program = tf.function(lambda x: model(x, training=False))
    return lambda: program(inputs).numpy()
