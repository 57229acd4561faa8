"""The arguments and weights that batch renormalization adds to `BatchNorm` (Ioffe 2017)."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras

from tfcourse.errors import shown
from tfcourse.hyperparameters import Hyperparameter, is_number
from tfcourse.types import DType, Layer, Shape, Tensor

__all__ = ["add_renorm_weights", "check_renorm"]

_LIMITS = ("rmin", "rmax", "dmax")


def check_renorm(clipping: object, momentum: float, renorm: bool) -> Any:
    """Return the limits of r and d; without ``renorm``, which alone uses them, unchecked.

    Raises:
        ValueError: A limit or the momentum is not admissible.
    """
    if not renorm:
        return clipping
    if clipping is not None and not isinstance(clipping, Mapping):
        raise ValueError(
            'BatchNorm: renorm_clipping must be a dict of "rmin", "rmax" and "dmax", or None. '
            f"Received: {shown(clipping)}."
        )
    limits = dict(clipping or {})
    Hyperparameter("renorm_momentum", float, 0, 1).check(momentum, "BatchNorm")
    if unknown := [name for name in limits if name not in _LIMITS]:
        raise ValueError(
            'BatchNorm: renorm_clipping may have the keys "rmin", "rmax" and "dmax". '
            f"Received invalid keys: {shown(unknown)}."
        )
    for name, value in limits.items():
        if value is not None and (not is_number(value) or math.isnan(value)):
            raise ValueError(
                f"BatchNorm: renorm_clipping: {name} should be a number or None. "
                f"Received: {name}={shown(value)}."
            )
    rmin, rmax, dmax = (limits.get(name) for name in _LIMITS)
    if rmax is not None and rmax < (rmin or 0):
        raise ValueError(
            "BatchNorm: renorm_clipping: rmax should be at least rmin, and not negative. "
            f"Received: rmax={rmax}, rmin={rmin}."
        )
    if dmax is not None and dmax < 0:
        raise ValueError(
            f"BatchNorm: renorm_clipping: dmax should be non-negative. Received: dmax={dmax}."
        )
    return limits


def add_renorm_weights(layer: Layer, features: int) -> None:
    """Create ``moving_stddev``, ``renorm_mean`` and ``renorm_stddev``, as Keras's layer does."""
    stddev = _Root(layer.moving_variance_initializer)
    mean = _clone(layer.moving_mean_initializer)
    initializers = {"moving_stddev": stddev, "renorm_mean": mean, "renorm_stddev": stddev}
    for name, initializer in initializers.items():
        weight = layer.add_weight(
            shape=(features,), name=name, initializer=initializer, trainable=False, autocast=False
        )
        setattr(layer, name, weight)


class _Root:
    """An initializer whose values are the roots of another one's."""

    def __init__(self, initializer: Callable[..., Tensor]) -> None:
        self.initializer = initializer

    def __call__(self, shape: Shape, dtype: DType | None = None) -> Tensor:
        return keras.ops.sqrt(_clone(self.initializer)(shape, dtype=dtype))


def _clone(initializer: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return an initializer of the same configuration; without a seed it draws other values.

    A function is returned as it is.
    """
    if isinstance(initializer, keras.initializers.Initializer):
        clone: Callable[..., Tensor] = type(initializer).from_config(initializer.get_config())
        return clone
    return initializer
