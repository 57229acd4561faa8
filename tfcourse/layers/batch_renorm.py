"""The state and the correction that batch renormalization adds to `BatchNorm` (Ioffe 2017)."""

import math
import numbers
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfcourse.formulas.normalization import renorm_corrections

__all__ = ["add_renorm_weights", "check_renorm", "follow", "follow_stddev", "renormalize"]

_LIMITS = ("rmin", "rmax", "dmax")


def check_renorm(clipping: Mapping[str, float] | None, momentum: float, renorm: bool) -> Any:
    """Return the limits of r and d; without ``renorm`` as they are, for nothing uses them.

    Raises:
        ValueError: A limit or the momentum is not admissible.
    """
    if not renorm:
        return clipping
    limits = dict(clipping or {})
    if not 0 <= momentum <= 1:
        raise ValueError(
            f"BatchNorm: renorm_momentum must be a number in [0, 1]. Received: {momentum!r}."
        )
    if unknown := [name for name in limits if name not in _LIMITS]:
        raise ValueError(
            'BatchNorm: renorm_clipping may have the keys "rmin", "rmax" and "dmax". '
            f"Received invalid keys: {unknown}."
        )
    for name, value in limits.items():
        real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if value is not None and (not real or math.isnan(value)):
            raise ValueError(
                f"BatchNorm: renorm_clipping: {name} should be a number or None. "
                f"Received: {name}={value!r}."
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


def add_renorm_weights(layer: Any, features: int) -> None:
    """Create ``moving_stddev``, ``renorm_mean`` and ``renorm_stddev``, as Keras's layer does."""
    stddev = _Root(layer.moving_variance_initializer)
    mean = _clone(layer.moving_mean_initializer)
    initializers = {"moving_stddev": stddev, "renorm_mean": mean, "renorm_stddev": stddev}
    for name, initializer in initializers.items():
        weight = layer.add_weight(
            shape=(features,), name=name, initializer=initializer, trainable=False, autocast=False
        )
        setattr(layer, name, weight)


def renormalize(layer: Any, mean: Any, variance: Any, gamma: Any, beta: Any) -> tuple[Any, Any]:
    """Return the γ and β that include the correction: ``γ(x̂ r + d) + β = x̂ (γ r) + (γ d + β)``."""
    averages = (tf.cast(layer.renorm_mean, mean.dtype), tf.cast(layer.renorm_stddev, mean.dtype))
    limits = layer.renorm_clipping
    r, d = renorm_corrections(mean, variance, *averages, layer.epsilon, **limits)
    if gamma is not None:
        r, d = gamma * r, gamma * d
    return r, d if beta is None else d + beta


def follow(average: Any, value: Any, rate: Any) -> None:
    """Move an average towards a value: ``v ← (1-rate) v + rate θ``."""
    value = tf.cast(value, average.dtype)
    # Not as v + rate (θ-v): this form is exact where one of the two weights is 0.
    average.assign(tf.convert_to_tensor(average) * (1 - rate) + value * rate)


def follow_stddev(layer: Any, mean: Any, variance: Any, rate: Any) -> None:
    """Move the averages that renormalization adds; the moving variance follows from one of them."""
    stddev = tf.sqrt(variance + layer.epsilon)
    follow(layer.moving_stddev, stddev, rate)
    square = tf.square(tf.convert_to_tensor(layer.moving_stddev))
    layer.moving_variance.assign(tf.nn.relu(square - layer.epsilon))
    for average, value in ((layer.renorm_mean, mean), (layer.renorm_stddev, stddev)):
        follow(average, value, 1.0 - layer.renorm_momentum)


class _Root:
    """Initializes with the roots of another initializer's values."""

    def __init__(self, initializer: Any) -> None:
        self.initializer = initializer

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return keras.ops.sqrt(_clone(self.initializer)(shape, dtype=dtype))


def _clone(initializer: Any) -> Any:
    """Return an initializer of the same configuration: one of no seed draws other values."""
    if isinstance(initializer, keras.initializers.Initializer):
        return type(initializer).from_config(initializer.get_config())
    return initializer
