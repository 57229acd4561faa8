"""Labels as class numbers: sparse, one-hot, or yes and no."""

import numpy as np
import numpy.typing as npt

from tfcourse.data.frames import as_array
from tfcourse.errors import InputError
from tfcourse.types import TensorLike

__all__ = ["class_numbers"]


def class_numbers(y: TensorLike, shape: tuple[int, ...], caller: str) -> npt.NDArray[np.int64]:
    """Return the true classes of all predictions, shape ``(m,)``.

    Args:
        y: Class numbers of shape ``(...)`` or ``(..., 1)``, or one-hot rows, ``(..., C)``.
        shape: That of the predictions, ``(..., C)``; ``(..., 1)`` are yes or no.
        caller: The function's name, for errors.

    Raises:
        InputError: The labels are of another shape, or name no class.
    """
    labels = as_array(y, "y")
    classes = max(shape[-1], 2)
    if labels.shape == shape and shape[-1] > 1:
        if not (np.isin(labels, (0, 1)).all() and (labels.sum(-1) == 1).all()):
            raise InputError(
                f"{caller}: y of shape {labels.shape} must be one-hot: a 1 for the class and 0 for "
                "the others in each row."
            )
        return np.asarray(labels.argmax(-1), np.int64).reshape(-1)
    if labels.shape not in (shape[:-1], (*shape[:-1], 1)):
        wanted = f"{shape[:-1]}" + (f" or one-hot {shape}" if shape[-1] > 1 else "")
        raise InputError(
            f"{caller}: y must have the shape {wanted}, as x and the model's outputs have. "
            f"Received: {labels.shape}."
        )
    numeric = labels.dtype.kind in "biuf"
    whole = labels.astype(np.int64) if numeric and np.isfinite(labels).all() else None
    if whole is None or not ((whole == labels) & (whole >= 0) & (whole < classes)).all():
        received = ", ".join(map(str, np.unique(labels)[:8]))
        raise InputError(
            f"{caller}: y must be class numbers in 0 … {classes - 1}. Received: {received}."
        )
    return whole.reshape(-1)
