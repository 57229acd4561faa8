"""Batch normalization as equations (course section 2; Ioffe and Szegedy 2015, Algorithm 1)."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

__all__ = ["masked_moments", "moments", "normalize"]


def moments(z: Any, axes: Sequence[int]) -> tuple[Any, Any]:
    """``μ = mean(z)`` and ``σ² = mean((z-μ)²)`` over ``axes``; the variance divides by m.

    Two passes, so that a large mean costs no digits of the variance. The second one is about a
    constant c = μ, ``mean((z-c)²) - (μ-c)²``, whose last term is 0 but not its second derivative:
    all gradients are exact, and the first one does not run through the mean for nothing.
    """
    mean = tf.reduce_mean(z, axes, keepdims=True)
    constant = tf.stop_gradient(mean)
    variance = tf.reduce_mean(tf.math.squared_difference(z, constant), axes, keepdims=True)
    variance -= tf.square(mean - constant)
    return tf.squeeze(mean, axes), tf.squeeze(variance, axes)


def masked_moments(z: Any, mask: Any, axes: Sequence[int]) -> tuple[Any, Any]:
    """`moments` of the entries where ``mask`` is true; both are 0 where it is nowhere true.

    Args:
        z: The values.
        mask: Boolean, broadcastable to the shape of ``z``.
        axes: The axes to average over.
    """
    mask = tf.broadcast_to(tf.cast(mask, tf.bool), tf.shape(z))
    count = tf.maximum(tf.reduce_sum(tf.cast(mask, z.dtype), axes, keepdims=True), 1)
    zero = tf.zeros([], z.dtype)
    mean = tf.reduce_sum(tf.where(mask, z, zero), axes, keepdims=True) / count
    square = tf.where(mask, tf.math.squared_difference(z, mean), zero)
    variance = tf.reduce_sum(square, axes, keepdims=True) / count
    return tf.squeeze(mean, axes), tf.squeeze(variance, axes)


def normalize(z: Any, mean: Any, variance: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """``z̃ = γ (z-μ)/√(σ²+ε) + β``; ``None`` for gamma or beta leaves that factor out.

    The statistics and parameters broadcast against ``z``. The mean is taken off first, so that
    a large one costs no digits.
    """
    scale = tf.math.rsqrt(variance + epsilon)
    if gamma is not None:
        scale = scale * gamma
    z = (z - mean) * scale
    return z if beta is None else z + beta
