"""Learning rates that change during a training (course 5.12): factors of α₀ at a step.

All are computed in double. A training has ``steps`` steps, counted from 0.
"""

import math

import tensorflow as tf

from tfcourse.hyperparameters import SCHEDULES
from tfcourse.types import Tensor, TensorLike

__all__ = [
    "cosine_decay",
    "inverse_time_decay",
    "linear_decay",
    "scheduled_rate",
    "warmup_factor",
]


def scheduled_rate(
    step: TensorLike,
    learning_rate: TensorLike,
    schedule: TensorLike,
    steps: TensorLike,
    steps_per_epoch: TensorLike,
    warmup: TensorLike = 0.0,
    decay_rate: TensorLike = 1.0,
) -> Tensor:
    """Return ``α_t = α₀ · w(t) · f(t)``: a warm-up w and a decay f.

    With W = warmup · steps, rounded, ``w = min(1, t/W)``. The cosine and linear decay begin after
    the warm-up, at ``p = (t - W)/(steps - W)``; the inverse-time decay is constant within each
    epoch, ``⌊t/steps_per_epoch⌋``. After ``steps`` steps the cosine and linear rates stay 0.

    Args:
        step: t, from 0.
        learning_rate: α₀, the largest rate.
        schedule: f, by its index in `tfcourse.hyperparameters.SCHEDULES`.
        steps: The steps of the training.
        steps_per_epoch: The steps of an epoch.
        warmup: The share of the steps in which the rate rises, in [0, 1).
        decay_rate: The rate of the inverse-time decay, at least 0.

    Returns:
        α_t, float64. It needs no Python number: each argument may be a variable.

    Source: the warm-up and the cosine are those of Keras's ``CosineDecay`` from an initial rate of
    0 (Loshchilov and Hutter 2016; Goyal et al. 2017); the inverse-time decay is course 5.12.
    """
    t, total, of_epoch, share = map(_double, (step, steps, steps_per_epoch, warmup))
    begin = tf.round(share * total)
    progress = tf.clip_by_value((t - begin) / tf.maximum(total - begin, 1.0), 0.0, 1.0)
    # Half a step away from the next whole number, which a rounded quotient can't reach.
    epoch = tf.floor((t + 0.5) / of_epoch)
    factors = {
        "constant": tf.ones_like(progress),
        "cosine": cosine_decay(progress),
        "linear": linear_decay(progress),
        "inverse_time": inverse_time_decay(epoch, _double(decay_rate)),
    }
    index = _double(schedule)
    factor = tf.zeros_like(progress)
    for number, name in enumerate(SCHEDULES):
        factor = tf.where(tf.equal(index, float(number)), factors[name], factor)
    return _double(learning_rate) * warmup_factor(t, begin) * factor


def warmup_factor(step: Tensor, warmup_steps: Tensor) -> Tensor:
    """Return ``t/W`` for t < W, and 1 from step W on."""
    return tf.where(step < warmup_steps, step / tf.maximum(warmup_steps, 1.0), tf.ones_like(step))


def cosine_decay(progress: Tensor) -> Tensor:
    """Return ``(1 + cos(π p))/2`` for the share p of the decay that is done."""
    return (1 + tf.cos(math.pi * progress)) / 2


def linear_decay(progress: Tensor) -> Tensor:
    """Return ``1 - p`` for the share p of the decay that is done."""
    return 1 - progress


def inverse_time_decay(epoch: Tensor, decay_rate: Tensor) -> Tensor:
    """Return ``1 / (1 + rate · epoch)``, epochs from 0 (course 5.12)."""
    return 1 / (1 + decay_rate * epoch)


def _double(value: TensorLike) -> Tensor:
    """Return a number as float64; `tf.cast` alone would make a Python number float32 first."""
    return tf.cast(tf.convert_to_tensor(value, dtype_hint=tf.float64), tf.float64)
