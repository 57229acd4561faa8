"""The networks that more than one bench times."""

from collections.abc import Callable

import keras

from tfcourse.layers.batch_norm import BatchNorm
from tfcourse.types import Layer

__all__ = ["convolutions"]


def convolutions(batch_norm: Callable[[], Layer] = BatchNorm) -> list[Layer]:
    """Return two blocks of convolution, batch norm, ReLU and pooling, and a `Flatten`.

    Args:
        batch_norm: Returns a new layer of batch norm.
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
