"""The test of tensors for NaN and infinity: of one training, or of many along a first axis."""

from collections.abc import Sequence

import tensorflow as tf

from tfcourse.types import Tensor, TensorLike

__all__ = ["all_finite"]


def all_finite(tensors: Sequence[TensorLike], members: bool = False) -> Tensor:
    """Return whether all floats in the tensors are finite, as a tensor of bools.

    Args:
        tensors: Tensors or variables; those of other types than floats are left out.
        members: Whether their first axis is one of members, each of which gets its own answer.
    """
    checks = []
    for tensor in map(tf.convert_to_tensor, tensors):
        if tensor.dtype.is_floating:
            axes = list(range(1, tensor.shape.rank)) if members else None
            checks.append(tf.reduce_all(tf.math.is_finite(tensor), axes))
    return tf.reduce_all(tf.stack(checks), 0) if checks else tf.constant(True)
