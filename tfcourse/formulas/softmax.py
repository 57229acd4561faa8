"""Softmax, hardmax and the cross-entropy (course section 3)."""

import keras
import tensorflow as tf

from tfcourse.types import DType, Tensor, TensorLike

__all__ = [
    "cross_entropy",
    "hardmax",
    "linear",
    "smooth_labels",
    "smoothed_cross_entropy",
    "softmax",
    "sparse_cross_entropy",
]


def linear(features: Tensor, kernel: Tensor, bias: Tensor | None, dtype: DType) -> Tensor:
    """Return the logits ``z = x W + b``: the product in the dtype of x and W, the sum in ``dtype``.

    Args:
        features: x, shape ``(..., features)``.
        kernel: W, shape ``(features, C)``.
        bias: b, shape ``(C,)``; None for b = 0.
        dtype: The dtype of z.
    """
    z = keras.ops.cast(keras.ops.matmul(features, kernel), dtype)
    return z if bias is None else keras.ops.add(z, keras.ops.cast(bias, dtype))


def softmax(logits: TensorLike) -> Tensor:
    """Return ``a = e^z / Σ e^z`` over the last axis; [5, 2, -1, 3] → [0.842, 0.042, 0.002, 0.114].

    The kernel subtracts the largest z first: this changes nothing but keeps e^z finite. Keras
    remembers the logits with the probabilities, and its cross-entropies start from them.
    """
    return keras.activations.softmax(tf.convert_to_tensor(logits))


def hardmax(logits: TensorLike) -> Tensor:
    """Return 1 at the largest entry of the last axis (the first one in a tie), 0 elsewhere."""
    logits = tf.convert_to_tensor(logits)
    return tf.one_hot(tf.argmax(logits, axis=-1), tf.shape(logits)[-1], dtype=logits.dtype)


def cross_entropy(targets: TensorLike, probabilities: TensorLike) -> Tensor:
    """Return ``L = -Σ y_j log ŷ_j``, one loss per example (course 3.5).

    y = 0 adds 0, whatever ŷ is.
    """
    relevant = tf.where(tf.equal(targets, 0), tf.ones_like(probabilities), probabilities)
    return -tf.reduce_sum(targets * tf.math.log(relevant), axis=-1)


def smooth_labels(targets: Tensor, smoothing: TensorLike, classes: int) -> Tensor:
    """Return ``y (1-s) + s/C``: of every target a share s is spread evenly over the C classes.

    Args:
        targets: y, one-hot rows; or the probabilities of the second of C = 2 classes.
        smoothing: s, in [0, 1).
        classes: C.

    Source: Szegedy et al. 2015, "Rethinking the Inception Architecture", section 7; Keras's
    ``label_smoothing``.
    """
    # The hint: a Python number would be float32 first.
    smoothing = tf.convert_to_tensor(smoothing, dtype_hint=targets.dtype)
    smoothing = tf.cast(smoothing, targets.dtype)
    return targets * (1 - smoothing) + smoothing / classes


def sparse_cross_entropy(labels: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``L = log Σ_j e^{z_j} - z_y`` and its gradient ``dz = ŷ - y`` (course 3.5, 3.6).

    It starts from the logits, so that a probability that is rounded to 0 has a finite loss.

    Args:
        labels: y, whole numbers of shape ``(m,)``.
        logits: z, shape ``(m, C)``.

    Returns:
        The losses, shape ``(m,)``, and the gradients of the logits, shape ``(m, C)``.
    """
    losses, gradients = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(
        features=logits, labels=labels
    )
    return losses, gradients


def smoothed_cross_entropy(
    labels: Tensor, logits: Tensor, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Return `sparse_cross_entropy` with the targets of `smooth_labels`.

    ``L_s = L + s (z_y - 1/C Σ_j z_j)`` and ``dz = ŷ - (y (1-s) + s/C)``.

    Args:
        labels: As for `sparse_cross_entropy`.
        logits: z, shape ``(m, C)``.
        smoothing: s, in [0, 1).
    """
    losses, gradients = sparse_cross_entropy(labels, logits)
    if not smoothing:
        return losses, gradients
    classes = logits.shape[-1]
    difference = tf.one_hot(labels, classes, dtype=logits.dtype) - 1 / classes
    losses += smoothing * tf.reduce_sum(difference * logits, axis=-1)
    return losses, gradients + smoothing * difference
