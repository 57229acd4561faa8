"""The initializers, regularizers and constraints of a layer's weights in its configuration."""

from collections.abc import Sequence
from typing import Any

import keras

from tfcourse.types import Layer

__all__ = ["KINDS", "serialize_parts"]

KINDS = ("initializer", "regularizer", "constraint")


def serialize_parts(
    layer: Layer, weights: Sequence[str], kinds: Sequence[str] = KINDS
) -> dict[str, Any]:
    """Return the configuration of a layer's attributes such as ``kernel_initializer``.

    Args:
        layer: The layer.
        weights: The names of the weights, such as ``"kernel"``.
        kinds: Those of `KINDS` that the weights have.
    """
    return {
        f"{weight}_{kind}": getattr(keras, f"{kind}s").serialize(getattr(layer, f"{weight}_{kind}"))
        for weight in weights
        for kind in kinds
    }
