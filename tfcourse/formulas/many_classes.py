"""The softmax cross-entropy of very many classes, without the (m, C) matrix."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfcourse.formulas.softmax import linear, smoothed_cross_entropy
from tfcourse.types import Tensor, TensorArray

__all__ = ["BLOCK_ELEMENTS", "blockwise_cross_entropy"]

# Logits in memory at a time: 160 examples of 50 000 classes, 32 MB in float32. Of 1024 examples on
# two CPU cores, 100 at a time took 1.36 times as long as the whole matrix, 147 between 1.0 and 1.2,
# 256 1.1; blocks above 32 MB, which the allocator maps each time, took 1.5 times the memory.
BLOCK_ELEMENTS = 8_000_000


def blockwise_cross_entropy(
    features: Tensor,
    kernel: Tensor,
    bias: Tensor,
    labels: Tensor,
    weights: Tensor,
    block_size: int | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Return the cost ``1/m Σ w_i L_i``, ``L_i = log Σ_j e^{z_ij} - z_{i,y_i}``, ``z = x W + b``.

    It goes through the examples in blocks, and computes a block's gradients together with its
    logits: ``dz = w (ŷ - y)/m;  dx = dz Wᵀ;  dW = Σ xᵀ dz;  db = Σ dz`` (course 3.5, 3.6).
    So the logits are computed once, as without blocks, and no more than one block of the (m, C)
    matrix is in memory. There are no second derivatives.

    Args:
        features: x, shape ``(m, features)``.
        kernel: W, shape ``(features, C)``.
        bias: b, shape ``(C,)``.
        labels: y, whole numbers of shape ``(m,)``.
        weights: w, shape ``(m,)``, of the dtype of the cost.
        block_size: Examples in a block; None for up to 32 MB of float32 logits.
        smoothing: s of `tfcourse.formulas.softmax.smoothed_cross_entropy`, which is L.

    Returns:
        A scalar of the dtype of ``weights``.
    """
    classes = kernel.shape[-1]
    size = max(1, BLOCK_ELEMENTS // classes) if block_size is None else block_size

    def cost(
        features: Tensor, kernel: Tensor, bias: Tensor
    ) -> tuple[Tensor, Callable[[Tensor], list[Tensor]]]:
        total, gradients = _sum_of_blocks(features, kernel, bias, labels, weights, size, smoothing)

        def backward(upstream: Tensor) -> list[Tensor]:
            return [tf.cast(upstream, g.dtype) * g for g in gradients]

        return total, backward

    return tf.custom_gradient(cost)(features, kernel, bias)


def _sum_of_blocks(
    features: Tensor,
    kernel: Tensor,
    bias: Tensor,
    labels: Tensor,
    weights: Tensor,
    size: int,
    smoothing: float,
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Return the cost and its gradients, the sums of those of the blocks."""
    static = features.shape[0]
    larger: Any = max if static is not None else tf.maximum
    count: Any = tf.shape(features)[0] if static is None else static
    blocks = larger(-(-count // size), 1)
    size = larger(-(-count // blocks), 1)  # even blocks, so that none is mostly padding
    # Padded to whole blocks with examples of weight 0, so that XLA has fixed shapes.
    padding = blocks * size - count
    share = tf.pad(weights / tf.cast(tf.maximum(count, 1), weights.dtype), [[0, padding]])
    padded, labels = tf.pad(features, [[0, padding], [0, 0]]), tf.pad(labels, [[0, padding]])

    def gradients_of(block: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        begin = block * size
        x = tf.slice(padded, [begin, 0], [size, features.shape[1]])
        y, w = (tf.slice(part, [begin], [size]) for part in (labels, share))
        losses, dz = smoothed_cross_entropy(y, linear(x, kernel, bias, w.dtype), smoothing)
        # The weights multiply the narrow factor of each product, not the wide dz.
        narrow = tf.cast(w, x.dtype)[:, None]
        low = tf.cast(dz, x.dtype)
        return (
            tf.reduce_sum(w * losses),
            narrow * tf.matmul(low, kernel, transpose_b=True),
            tf.matmul(narrow * x, low, transpose_a=True),
            tf.linalg.matvec(dz, w, transpose_a=True),
        )

    def body(
        block: Tensor, total: Tensor, d_features: TensorArray, d_kernel: Tensor, d_bias: Tensor
    ) -> tuple[Tensor, Tensor, TensorArray, Tensor, Tensor]:
        loss, d_x, d_w, d_b = gradients_of(block)
        d_features = d_features.write(block, d_x)
        return block + 1, total + loss, d_features, d_kernel + d_w, d_bias + d_b

    d_features = tf.TensorArray(features.dtype, blocks, element_shape=[None, features.shape[1]])
    # The first block's gradients start the sums: its large dW is not added to zeros.
    total, d_x, d_kernel, d_bias = gradients_of(0)
    _, total, d_features, d_kernel, d_bias = tf.while_loop(
        lambda block, *_: block < blocks,
        body,
        [tf.constant(1), total, d_features.write(0, d_x), d_kernel, d_bias],
        parallel_iterations=1,
    )
    stacked = tf.reshape(d_features.stack(), [-1, features.shape[1]])[:count]
    return total, (tf.ensure_shape(stacked, features.shape), d_kernel, tf.cast(d_bias, bias.dtype))
