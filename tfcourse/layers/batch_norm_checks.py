"""The checks of `BatchNorm`'s axis and of its virtual batches."""

from numbers import Integral

from tfcourse.errors import shown
from tfcourse.hyperparameters import is_number
from tfcourse.types import Shape

__all__ = ["check_axis", "check_virtual_batch_size"]


def check_axis(axis: int, shape: Shape, virtual_batch_size: int | None) -> int:
    """Return the number of features of inputs of a shape.

    Raises:
        ValueError: The axis does not exist or its size is unknown, or there are no virtual batches
            of inputs of this shape.
    """
    rank = len(shape)
    if not -rank <= axis < rank:
        raise ValueError(
            f"BatchNorm: axis must lie in [{-rank}, {rank}) for an input of shape {tuple(shape)}. "
            f"Received: axis={axis}."
        )
    features = shape[axis]
    if features is None:
        raise ValueError(
            f"BatchNorm: the size of axis {axis} must be known. "
            f"Received: input shape {tuple(shape)}."
        )
    _check_virtual_shape(virtual_batch_size, axis, shape)
    return features


def check_virtual_batch_size(size: object, renorm: bool, synchronized: bool) -> int | None:
    """Return the length of a virtual batch; None for none.

    Raises:
        ValueError: It is not a positive whole number, or another argument excludes it.
    """
    if size is None:
        return None
    if not is_number(size, Integral) or size < 1:  # type: ignore[operator]  # a whole number by now
        raise ValueError(
            "BatchNorm: virtual_batch_size must be a whole number >= 1, or None. "
            f"Received: {shown(size)}."
        )
    if renorm:
        raise ValueError(
            "BatchNorm: virtual_batch_size excludes renorm, which takes out the noise of small "
            "batches that virtual batches are for. Choose one of the two."
        )
    if synchronized:
        raise ValueError(
            "BatchNorm: virtual_batch_size excludes synchronized: a virtual batch is part of one "
            "replica's batch. Leave synchronized=False."
        )
    return int(size)  # type: ignore[call-overload, no-any-return]  # likewise


def _check_virtual_shape(size: int | None, axis: int, shape: Shape) -> None:
    """Raise ValueError if inputs of a shape have no virtual batches of this length."""
    if size is None:
        return
    if axis % len(shape) == 0:
        raise ValueError(
            "BatchNorm: virtual_batch_size needs the examples on the first axis, which is the "
            f"features'. Received: axis={axis}, input shape {tuple(shape)}."
        )
    if size == 1 and len(shape) == 2:
        raise ValueError(
            "BatchNorm: virtual_batch_size=1 leaves one value a feature, which normalizes to 0. "
            f"Received: input shape {tuple(shape)}. Give at least 2."
        )
