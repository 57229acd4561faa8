"""Moments of a whole from the moments of its parts."""

from typing import Any

import tensorflow as tf

__all__ = ["Moments", "pool_moments"]

Moments = tuple[Any, Any, Any]
"""(m, μ, σ²): how many values, their mean, and their variance divided by m."""


def pool_moments(first: Moments, second: Moments) -> Moments:
    """``μ = μ₁ + δs``, ``σ² = (1-s)σ₁² + sσ₂² + s(1-s)δ²`` with ``δ = μ₂-μ₁``, ``s = m₂/m``.

    Exact for parts of different sizes, and without squares of the means: a large mean costs no
    digits of the variance. A part of no values (m = 0) changes nothing.

    Source: Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for
    computing sample variances", with σ² = M₂/m; course section 2.8.
    """
    (count_1, mean_1, variance_1), (count_2, mean_2, variance_2) = first, second
    count = count_1 + count_2
    share = tf.math.divide_no_nan(count_2, count)
    difference = mean_2 - mean_1
    mean = mean_1 + difference * share
    variance = (1 - share) * variance_1 + share * variance_2
    return count, mean, variance + share * (1 - share) * tf.square(difference)
