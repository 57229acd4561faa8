"""The numerical gradient check as equations (course 5.8)."""

import math

import tensorflow as tf

from tfcourse.types import Scalar, Tensor, TensorLike

__all__ = ["relative_difference", "rounding_noise", "two_sided_difference"]


def two_sided_difference(
    cost_plus: TensorLike, cost_minus: TensorLike, epsilon: Scalar
) -> TensorLike:
    """Return ``(J(θ+ε) - J(θ-ε)) / (2ε)``, which differs from the derivative by ``ε² J'''/6``.

    The one-sided ``(J(θ+ε) - J(θ)) / ε`` is off by ``ε J''/2``. The rounding of J adds about
    ``u |J| / ε`` to both, u being 1e-16 in float64.

    Args:
        cost_plus: J(θ+ε).
        cost_minus: J(θ-ε).
        epsilon: ε, half the distance between the two.
    """
    return (cost_plus - cost_minus) / (2 * epsilon)


def relative_difference(approximation: TensorLike, gradient: TensorLike) -> Tensor:
    """Return ``‖approx - grad‖₂ / (‖approx‖₂ + ‖grad‖₂)``, in [0, 1]; 0 where both are zero.

    Args:
        approximation: The numerical gradient, a vector.
        gradient: The gradient to check, of the same shape.

    Returns:
        A scalar: 0 for equal vectors, 1 for opposite ones or where one of them is zero.
    """
    difference = tf.norm(tf.subtract(approximation, gradient))
    return tf.math.divide_no_nan(difference, tf.norm(approximation) + tf.norm(gradient))


def rounding_noise(costs: TensorLike, order: int = 4) -> Tensor:
    """Estimate the standard deviation of J's rounding from values at equal, tiny distances.

    k-th differences remove the smooth part of J and enlarge its rounding:
    ``σ² ≈ (k!)²/(2k)! · mean((Δᵏ J)²)``.

    Args:
        costs: J at θ, θ+d, θ+2d, ..., a vector of more than ``order`` values.
        order: k.

    Source: Moré and Wild 2011, "Estimating Computational Noise", equation 2.3.
    """
    differences = tf.convert_to_tensor(costs)
    for _ in range(order):
        differences = differences[1:] - differences[:-1]
    factor = math.factorial(order) ** 2 / math.factorial(2 * order)
    return tf.sqrt(factor * tf.reduce_mean(tf.square(differences)))
