"""The softmax cross-entropy of very many classes, without the (m, C) matrix."""

from typing import Any

import tensorflow as tf

__all__ = ["BLOCK_ELEMENTS", "blockwise_cross_entropy"]

# Logits held at a time: 256 examples of 50 000 classes, 51 MB in float32. Larger blocks were no
# faster, smaller ones make the products too thin.
BLOCK_ELEMENTS = 12_800_000


def blockwise_cross_entropy(
    features: Any, kernel: Any, bias: Any, labels: Any, weights: Any, block_size: int | None = None
) -> Any:
    """The cost ``1/m Σ w_i L_i`` with ``L_i = log Σ_j e^{z_ij} - z_{i,y_i}``, ``z = x W + b``.

    Goes through the examples in blocks, and makes each block's gradients while it has the
    block's logits: ``dz = w (ŷ - y)/m;  dx = dz Wᵀ;  dW = Σ xᵀ dz;  db = Σ dz`` (course 3.5, 3.6).
    So the logits are computed once, as by the plain way, and of the (m, C) matrix there is never
    more than a block. There are no second derivatives.

    Args:
        features: x, shape ``(m, features)``.
        kernel: W, shape ``(features, C)``.
        bias: b, shape ``(C,)``.
        labels: y, whole numbers of shape ``(m,)``.
        weights: w, shape ``(m,)``, of the dtype of the cost.
        block_size: Examples a block; None for about 51 MB of float32 logits.

    Returns:
        A scalar of the dtype of ``weights``.
    """
    classes = kernel.shape[-1]
    size = max(1, BLOCK_ELEMENTS // classes) if block_size is None else block_size

    @tf.custom_gradient
    def cost(features: Any, kernel: Any, bias: Any) -> Any:
        total, gradients = _walk(features, kernel, bias, labels, weights, size)

        def backward(upstream: Any) -> Any:
            return [tf.cast(upstream, g.dtype) * g for g in gradients]

        return total, backward

    return cost(features, kernel, bias)


def _walk(
    features: Any, kernel: Any, bias: Any, labels: Any, weights: Any, size: int
) -> tuple[Any, tuple[Any, Any, Any]]:
    """Cost and gradients, block by block."""
    known = features.shape[0]
    count: Any = tf.shape(features)[0] if known is None else known
    size = tf.clip_by_value(count, 1, size) if known is None else min(max(known, 1), size)
    blocks = (count + size - 1) // size
    # Filled up to whole blocks with examples of weight 0, so that XLA has fixed shapes.
    fill = blocks * size - count
    share = tf.pad(weights / tf.cast(tf.maximum(count, 1), weights.dtype), [[0, fill]])
    padded, labels = tf.pad(features, [[0, fill], [0, 0]]), tf.pad(labels, [[0, fill]])

    def body(block: Any, total: Any, d_features: Any, d_kernel: Any, d_bias: Any) -> Any:
        begin = block * size
        x = tf.slice(padded, [begin, 0], [size, features.shape[1]])
        y, w = (tf.slice(part, [begin], [size]) for part in (labels, share))
        z = tf.cast(tf.matmul(x, kernel), w.dtype) + tf.cast(bias, w.dtype)
        loss, dz = _loss_and_gradient(z, y, w)
        low = tf.cast(dz, x.dtype)
        d_features = d_features.write(block, tf.matmul(low, kernel, transpose_b=True))
        d_kernel += tf.matmul(x, low, transpose_a=True)
        return block + 1, total + loss, d_features, d_kernel, d_bias + tf.reduce_sum(dz, axis=0)

    d_features = tf.TensorArray(features.dtype, blocks, element_shape=[None, features.shape[1]])
    total, d_bias = tf.zeros([], weights.dtype), tf.zeros(bias.shape, weights.dtype)
    _, total, d_features, d_kernel, d_bias = tf.while_loop(
        lambda block, *_: block < blocks,
        body,
        [tf.constant(0), total, d_features, tf.zeros_like(kernel), d_bias],
        parallel_iterations=1,
    )
    stacked = tf.reshape(d_features.stack(), [-1, features.shape[1]])[:count]
    return total, (tf.ensure_shape(stacked, features.shape), d_kernel, tf.cast(d_bias, bias.dtype))


def _loss_and_gradient(z: Any, labels: Any, weights: Any) -> tuple[Any, Any]:
    """``Σ w L`` and ``w (ŷ - y)`` of one block."""
    losses, gradient = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=z, labels=labels)
    return tf.reduce_sum(weights * losses), gradient * weights[:, None]
