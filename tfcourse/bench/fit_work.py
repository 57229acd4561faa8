"""The works of the bench of `fit`: six models, each with its data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.bench.networks import convolutions
from tfcourse.data.sources import load
from tfcourse.layers.batch_norm import BatchNorm
from tfcourse.layers.softmax_head import SoftmaxHead
from tfcourse.optimizers.adam import Adam
from tfcourse.types import Array, KerasModel, Layer

__all__ = ["WORKS", "Work", "is_mlp", "products", "works"]


@dataclass(frozen=True)
class Work:
    """A training to time.

    Attributes:
        name: Its name in the table.
        hidden: Returns new layers to come before the softmax.
        x, y: The examples.
        batch_size: The examples of a step.
        epochs: The epochs of a training.
        as_dataset: Whether the examples come as a ``tf.data`` pipeline.
        with_jit: Whether XLA takes part: for convolutions it is several times slower.
    """

    name: str
    hidden: Callable[[], Sequence[Layer]]
    x: Array
    y: Array
    batch_size: int
    epochs: int = 20
    as_dataset: bool = False
    with_jit: bool = True

    def model(self, **compile_arguments: object) -> KerasModel:
        """Return a new compiled model, always with the same weights."""
        keras.utils.set_random_seed(0)
        layers = [keras.Input(self.x.shape[1:]), *self.hidden(), SoftmaxHead(10)]
        model = keras.Sequential(layers)
        loss = "sparse_categorical_crossentropy"
        model.compile(Adam(1e-3), loss, metrics=["accuracy"], **compile_arguments)
        return model

    def arguments(self) -> dict[str, Any]:
        """Return the data as arguments of ``fit``."""
        if not self.as_dataset:
            return {"x": self.x, "y": self.y, "batch_size": self.batch_size}
        examples = tf.data.Dataset.from_tensor_slices((self.x, self.y))
        examples = examples.shuffle(len(self.x), seed=0).batch(self.batch_size)
        # shuffle: Keras warns that it doesn't shuffle a dataset.
        return {"x": examples.prefetch(tf.data.AUTOTUNE), "shuffle": False}


def is_mlp(layers: Sequence[Layer]) -> bool:
    """Return True if the layers are those of an MLP, with or without batch norm."""
    layer_types = keras.layers.Dense, BatchNorm, keras.layers.ReLU, SoftmaxHead
    return all(isinstance(layer, layer_types) for layer in layers)


def products(work: Work) -> int | None:
    """Return the floating-point operations of the matrix products of a training of an MLP.

    For a kernel of n×k and m rows they are ``2 m n k``, once forward and once for the kernel's
    gradient, and for each layer but the first once more for its input's. None for other models.
    """
    layers = work.model().layers
    if work.as_dataset or not is_mlp(layers):
        return None
    kernels = [layer.kernel.shape for layer in layers if hasattr(layer, "kernel")]
    sizes: list[int] = [n * k for n, k in kernels]
    return 2 * (3 * sum(sizes) - sizes[0]) * len(work.x) * work.epochs


def _dense(*units: int) -> Callable[[], Sequence[Layer]]:
    return lambda: [keras.layers.Dense(n, "relu") for n in units]


def _normalized(*units: int) -> Callable[[], Sequence[Layer]]:
    return lambda: [
        layer
        for n in units
        for layer in (keras.layers.Dense(n, use_bias=False), BatchNorm(), keras.layers.ReLU())
    ]


def _recurrent(kind: Callable[[int], Layer]) -> Callable[[], Sequence[Layer]]:
    return lambda: [kind(32)]


def works(scale: float = 1.0) -> dict[str, Work]:
    """Return the works by their short names.

    Args:
        scale: The fraction of the examples and epochs; less than 1 for a quick look.
    """
    rng, layers = np.random.default_rng(0), keras.layers
    digits = load("digits").part
    x, y = digits.x[:1437].astype("float32"), digits.y[:1437].astype("int32")

    def random(
        name: str,
        hidden: Callable[[], Sequence[Layer]],
        shape: tuple[int, ...],
        batch: int,
        **kwargs: Any,
    ) -> Work:
        inputs = rng.normal(size=shape).astype("float32")
        labels = rng.integers(0, 10, shape[0]).astype("int32")
        return Work(name, hidden, inputs, labels, batch, **kwargs)

    mlp = Work("digits, MLP 64-64 with batch norm, batch 64", _normalized(64, 64), x, y, 64)
    by_name = {
        "digits": mlp,
        "mlp": random(
            "MLP 784-256-128, 20 000 rows, batch 128", _dense(256, 128), (20_000, 784), 128
        ),
        "lstm": random("LSTM 32, T = 32, batch 64", _recurrent(layers.LSTM), (2000, 32, 8), 64),
        "gru": random("GRU 32, T = 32, batch 64", _recurrent(layers.GRU), (2000, 32, 8), 64),
        "dataset": replace(mlp, name="digits as a tf.data pipeline", as_dataset=True),
        "convnet": random(
            "convnet 28×28, batch 64",
            convolutions,
            (2000, 28, 28, 1),
            64,
            epochs=2,
            with_jit=False,
        ),
    }
    if scale == 1:
        return by_name
    return {name: _smaller(work, scale) for name, work in by_name.items()}


def _smaller(work: Work, scale: float) -> Work:
    rows = max(int(len(work.x) * scale), work.batch_size + 1)
    return replace(work, x=work.x[:rows], y=work.y[:rows], epochs=max(int(work.epochs * scale), 1))


WORKS = ("digits", "mlp", "lstm", "gru", "dataset", "convnet")
