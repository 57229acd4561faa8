"""Moments of a whole from the moments of its parts (course section 2.8)."""

import tensorflow as tf

from tfcourse.formulas.normalization import batch_moments
from tfcourse.types import Tensor, TensorLike

__all__ = ["Moments", "feature_moments", "pool_moments"]

Moments = tuple[Tensor, Tensor, Tensor]
"""(m, μ, σ²): the number of values, their mean, and their variance divided by m."""


def pool_moments(first: Moments, second: Moments) -> Moments:
    """Return ``m = m₁+m₂``, ``μ = μ₁ + sδ`` and ``σ² = (1-s)σ₁² + sσ₂² + s(1-s)δ²``.

    There ``δ = μ₂-μ₁`` and ``s = m₂/m``.

    Exact for parts of different sizes, and without squares of the means: a large mean costs no
    digits of the variance. A part of no values (m = 0, and finite μ and σ²) changes nothing.

    Source: Chan, Golub and LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for
    Computing Sample Variances", with σ² for their S/m.
    """
    (count_1, mean_1, variance_1), (count_2, mean_2, variance_2) = first, second
    count = count_1 + count_2
    share = tf.math.divide_no_nan(count_2, count)
    difference = mean_2 - mean_1
    variance = (1 - share) * variance_1 + share * variance_2
    variance += share * (1 - share) * tf.square(difference)
    return count, mean_1 + share * difference, variance


def feature_moments(z: Tensor, axis: int, mask: TensorLike | None = None) -> Moments:
    """Return m, μ and σ² in float64 of each feature along ``axis``, over the other axes of ``z``.

    Args:
        z: The values, of known rank.
        axis: The features' axis.
        mask: Boolean, one rank less than ``z``, its last axis left out: the positions that count.
    """
    z = tf.cast(z, tf.float64)
    mean, variance = batch_moments(z, axis, mask)
    axes = [a for a in range(len(z.shape)) if a != axis % len(z.shape)]
    if mask is None:
        count = tf.size(z, tf.int64) // tf.size(mean, tf.int64)
        return tf.fill(tf.shape(mean), tf.cast(count, z.dtype)), mean, variance
    counted = tf.broadcast_to(tf.expand_dims(tf.cast(mask, z.dtype), -1), tf.shape(z))
    return tf.reduce_sum(counted, axes), mean, variance
