"""The networks that more than one bench times."""

from collections.abc import Callable
from typing import Any

import keras

from tfcourse.layers.batch_norm import BatchNorm

__all__ = ["convolutions"]


def convolutions(batch_norm: Callable[[], Any] = BatchNorm) -> list[Any]:
    """Two blocks of convolution, batch norm, ReLU and pooling, and a `Flatten` after them.

    Args:
        batch_norm: Makes a layer of batch norm.
    """
    blocks = [
        layer
        for filters in (32, 64)
        for layer in (
            keras.layers.Conv2D(filters, 3, padding="same", use_bias=False),
            batch_norm(),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        )
    ]
    return [*blocks, keras.layers.Flatten()]
