"""Batch normalization as equations (course section 2; Ioffe and Szegedy 2015; Ioffe 2017)."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

__all__ = ["masked_moments", "moments", "normalize", "renorm_corrections"]


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


def renorm_corrections(
    mean: Any,
    variance: Any,
    average_mean: Any,
    average_stddev: Any,
    epsilon: float,
    rmin: float | None = None,
    rmax: float | None = None,
    dmax: float | None = None,
) -> tuple[Any, Any]:
    """``r = σ_B/σ`` and ``d = (μ_B-μ)/σ``, by which batch renormalization corrects a batch.

    With ``σ_B = √(σ²_B+ε)`` and the batch normalized as ``x̂ = (z-μ_B)/σ_B``, the corrected
    ``x̂ r + d = (z-μ)/σ`` is what the averages μ and σ give, as at test time. r is clipped to
    ``[rmin, rmax]`` and d to ``[-dmax, dmax]``: with ``rmin = rmax = 1`` and ``dmax = 0`` it is
    batch normalization. Both are constants to the gradient, which runs through μ_B and σ_B alone.
    σ counts as √ε at least.

    Args:
        mean: μ_B of the batch, shape ``(features,)``.
        variance: σ²_B of the batch, the same shape.
        average_mean: μ, the moving average of the batches' means, the same shape.
        average_stddev: σ, that of their standard deviations √(σ²_B+ε), the same shape.
        epsilon: ε > 0.
        rmin: The least r; None for none.
        rmax: The largest r; None for none.
        dmax: The largest absolute d; None for none.

    Returns:
        r and d, each of shape ``(features,)``.

    Source: Ioffe 2017, "Batch Renormalization", arXiv:1702.03275, Algorithm 1.
    """
    stddev = tf.maximum(average_stddev, tf.sqrt(tf.constant(epsilon, mean.dtype)))
    r = tf.sqrt(variance + epsilon) / stddev
    d = (mean - average_mean) / stddev
    r = r if rmin is None else tf.maximum(r, rmin)
    r = r if rmax is None else tf.minimum(r, rmax)
    d = d if dmax is None else tf.clip_by_value(d, -dmax, dmax)
    return tf.stop_gradient(r), tf.stop_gradient(d)
