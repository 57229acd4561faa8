"""The equations of `tfcourse.formulas.normalization` by TensorFlow's fused kernel."""

import math

import tensorflow as tf

from tfcourse.internals.tensorflow import in_xla_context
from tfcourse.types import Tensor

__all__ = ["fused_inference", "fused_training", "use_fused"]

# The length that an unknown dimension, nearly always the batch, is taken for.
USUAL_BATCH = 64


def use_fused(z: Tensor, axis: int, training: bool) -> bool:
    """Return whether the fused kernel is the better choice.

    Measured on two CPU cores against separate moments and scaling, in graphs without XLA. The
    training step with its gradients: half as fast for 64×64, as fast for 256×512, 1.3 times for
    32×50×64, 1.8 for 64×8×8×128, 3 for 64×100×256 and 32×32×32×64. Inference: 0.75 times for
    256×512, 1.2 for 64×8×8×128, 1.5 for 4096×512. Hence from 100 000 elements in training and
    from 400 000 at inference.

    Never under XLA: there it is no faster, and it takes the variance as E[z²]-E[z]², which
    gives NaN for a mean of 1000 with a standard deviation of 0.1. Nor in float64, which it
    lacks, or for another than the last axis, which it can't do on a CPU.

    Args:
        z: What to normalize.
        axis: The features' axis.
        training: Whether statistics and gradients are wanted.
    """
    if z.dtype == tf.float64 or axis % len(z.shape) != len(z.shape) - 1:
        return False
    if not tf.executing_eagerly() and in_xla_context():
        return False
    size = math.prod(USUAL_BATCH if n is None else n for n in z.shape)
    return size >= (100_000 if training else 400_000)


def fused_training(
    z: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return z normalized by its own moments, its mean and its variance (divided by m)."""
    images = _as_images(z)
    gamma, beta = _parameters(gamma, beta, z)
    unset = tf.zeros([0], z.dtype)
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images, scale=gamma, offset=beta, mean=unset, variance=unset, epsilon=epsilon
    )
    count = tf.cast(tf.reduce_prod(tf.shape(images)[:-1]), z.dtype)
    # The kernel gives the unbiased variance, for the moving average only.
    variance = variance * tf.math.divide_no_nan(count - 1, count)
    return tf.reshape(outputs, tf.shape(z)), mean, variance


def fused_inference(
    z: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    epsilon: float,
) -> Tensor:
    """Return z normalized by statistics of other data."""
    gamma, beta = _parameters(gamma, beta, z)
    outputs, *_ = tf.raw_ops.FusedBatchNormV3(
        x=_as_images(z),
        scale=gamma,
        offset=beta,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        is_training=False,
    )
    return tf.reshape(outputs, tf.shape(z))


def _as_images(z: Tensor) -> Tensor:
    """Return (..., C) as (N, 1, 1, C), the shape that the kernel takes."""
    return z if len(z.shape) == 4 else tf.reshape(z, [-1, 1, 1, z.shape[-1]])


def _parameters(gamma: Tensor | None, beta: Tensor | None, z: Tensor) -> tuple[Tensor, Tensor]:
    """Return γ and β, 1 and 0 where there is none."""
    features = [z.shape[-1]]
    gamma = tf.ones(features, z.dtype) if gamma is None else gamma
    return gamma, tf.zeros(features, z.dtype) if beta is None else beta
