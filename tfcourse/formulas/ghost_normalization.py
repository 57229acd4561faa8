"""Ghost batch normalization: statistics of virtual batches (Hoffer et al. 2017)."""

import tensorflow as tf

from tfcourse.formulas.normalization import masked_moments, moments
from tfcourse.types import Tensor, TensorLike

__all__ = ["ghost_normalize", "virtual_batches"]


def virtual_batches(z: Tensor, size: int) -> list[Tensor]:
    """Return z cut along its first axis into virtual batches of nearly equal length.

    Of m examples there are ``G = max(⌊m/size⌋, 1)``, of ``⌊m/G⌋`` or one more examples each, in
    order: as ``size`` divides m, of ``size`` examples; none is smaller, unless m is. 70 examples
    at a size of 32 are two of 35, and not two of 32 with a rest of 6.

    Args:
        z: Values of shape ``(m, ...)``, of which m need not be known.
        size: The length of a virtual batch, at least 1.

    Returns:
        One tensor of shape ``(G, m/G, ...)``, or where m/G is no whole number two, of the longer
        ones and the others.
    """
    is_static = z.shape[0] is not None
    m = z.shape[0] if is_static else tf.shape(z)[0]
    count = max(m // size, 1) if is_static else tf.maximum(m // size, 1)
    length, longer = m // count, m % count
    cut = longer * (length + 1)
    groups = [(longer, length + 1, z[:cut]), (count - longer, length, z[cut:])]
    return [
        tf.reshape(part, [number, examples, *_lengths(z)])
        for number, examples, part in groups
        if not (is_static and number == 0)
    ]


def ghost_normalize(
    z: Tensor,
    size: int,
    gamma: TensorLike | None,
    beta: TensorLike | None,
    epsilon: float,
    axis: int = -1,
    mask: TensorLike | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return z normalized by its virtual batches, and the means of their μ and σ².

    Each of the `virtual_batches` g is normalized by its own moments, ``γ (z-μ_g)/√(σ²_g+ε) + β``.
    The statistics for the moving averages are ``Σ n_g μ_g / Σ n_g`` and ``Σ n_g σ²_g / Σ n_g`` with
    the number n_g of positions that count. That mean is the mean of the whole batch; that variance
    lacks the variance of the μ_g, about a share of 1/``size``.

    Args:
        z: The values, of known rank.
        size: The length of a virtual batch.
        gamma: γ, shape ``(features,)``; None for γ = 1.
        beta: β, the same shape; None for β = 0.
        epsilon: ε > 0.
        axis: The features' axis, which is not the first one.
        mask: Boolean, one rank less than ``z``: the positions that count.

    Source: Hoffer, Hubara and Soudry 2017, "Train longer, generalize better", arXiv:1705.08741,
    Algorithm 1.
    """
    rank = len(z.shape)
    features = axis % rank + 1
    axes = [a for a in range(1, rank + 1) if a != features]
    parts = virtual_batches(z, size)
    masks = [None] * len(parts) if mask is None else virtual_batches(mask, size)
    outputs, statistics = [], []
    for part, counted in zip(parts, masks, strict=True):
        if counted is None:
            mean, variance = moments(part, axes)
            weight = tf.ones([tf.shape(part)[0]], z.dtype) * tf.cast(tf.shape(part)[1], z.dtype)
        else:
            mean, variance = masked_moments(part, tf.expand_dims(counted, -1), axes)
            positions = tf.range(1, tf.rank(counted))
            weight = tf.reduce_sum(tf.cast(tf.cast(counted, tf.bool), z.dtype), positions)
        scale = tf.math.rsqrt(variance + epsilon)
        scale = scale if gamma is None else scale * gamma
        outputs.append((part - _along(features, mean, part)) * _along(features, scale, part))
        statistics.append((mean, variance, weight))
    z = tf.concat([tf.reshape(part, [-1, *_lengths(z)]) for part in outputs], 0)
    if beta is not None:
        z += tf.reshape(beta, [-1 if a == features else 1 for a in range(1, rank + 1)])
    means, variances, weights = (tf.concat(each, 0) for each in zip(*statistics, strict=True))
    shares = tf.math.divide_no_nan(weights, tf.reduce_sum(weights))[:, None]
    return z, tf.reduce_sum(shares * means, 0), tf.reduce_sum(shares * variances, 0)


def _lengths(z: Tensor) -> list[int | Tensor]:
    """Return the lengths of all axes but the first."""
    return [n if n is not None else tf.shape(z)[i] for i, n in enumerate(z.shape) if i]


def _along(features: int, values: Tensor, z: Tensor) -> Tensor:
    """Return values of shape (virtual batches, features) in one that broadcasts against z."""
    shape = [1] * len(z.shape)
    shape[features] = values.shape[1]
    return tf.reshape(values, [-1, *shape[1:]])
