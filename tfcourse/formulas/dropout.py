"""Inverted dropout (course section 5.6)."""

import tensorflow as tf

from tfcourse.types import Scalar, Tensor

__all__ = ["inverted_dropout"]


def inverted_dropout(activations: Tensor, uniform: Tensor, rate: Scalar) -> Tensor:
    """Return ``a / (1-rate)`` where a uniform random number is at least ``rate``, and 0 elsewhere.

    The division keeps the expected activation, so that nothing changes at test time.

    Args:
        activations: a.
        uniform: Random numbers in [0, 1), of a shape that broadcasts against ``activations``.
        rate: The probability of 0, the course's 1 - keep_prob; computed with in double.
    """
    rate = tf.convert_to_tensor(rate, tf.float64)
    scaled = activations * tf.cast(1 / (1 - rate), activations.dtype)
    survives = uniform >= tf.cast(rate, activations.dtype)
    return tf.where(survives, scaled, tf.zeros([], activations.dtype))
