"""Features scaled by their range or moments in the train set (course 5.7)."""

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tfcourse.data.precision import is_constant
from tfcourse.data.splits import Split

# The ways to scale, see `fit_scaling`.
Method: TypeAlias = Literal["standardize", "min_max", "rescale"]

__all__ = ["Scaling", "fit_scaling"]


@dataclass(frozen=True)
class Scaling:
    """``x ↦ (x - shift) / scale``, feature by feature.

    Attributes:
        shift: The number that is subtracted from each feature, shape ``(features,)``; of the type
            of the data, float32 or float64.
        scale: The number > 0 that each is divided by, of the same shape and type.
    """

    shift: npt.NDArray[np.floating[Any]]
    scale: npt.NDArray[np.floating[Any]]

    def apply(self, x: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """Return the scaled examples, a new array."""
        scaled: npt.NDArray[np.float32] = ((x - self.shift) / self.scale).astype(
            "float32", copy=False
        )
        return scaled

    def apply_to(self, split: Split) -> Split:
        """Return the split with all its sets scaled."""
        return split.map(lambda part: replace(part, x=self.apply(part.x)))


def fit_scaling(x: npt.NDArray[np.floating[Any]], how: Method) -> Scaling:
    """Return the scaling of the train set.

    A feature is an entry of the last axis: a column of a table, a channel of images. One that is
    constant in the train set, in float64 up to rounding, is shifted to 0 and not divided.

    Args:
        x: The train set, shape ``(m, ..., features)``.
        how: ``"standardize"``: to mean 0 and variance 1, ``(x - μ) / σ``; ``"min_max"``: to
            ``[0, 1]``, ``(x - min) / (max - min)``. Other sets may lie outside of it;
            ``"rescale"``: from the bytes of images to [0, 1], ``x / 255``.
    """
    if how == "rescale":
        features = np.zeros(x.shape[-1], x.dtype)
        return Scaling(features, features + 255)
    axes = tuple(range(x.ndim - 1))
    low, high = x.min(axis=axes), x.max(axis=axes)
    if how == "standardize":
        # In float64: the mean of many float32 loses digits.
        shift, scale = x.mean(axis=axes, dtype=np.float64), x.std(axis=axes, dtype=np.float64)
    else:
        shift, scale = low.astype(np.float64), high.astype(np.float64) - low
    constant = is_constant(low, high)
    shift, scale = np.where(constant, low, shift), np.where(constant, 1.0, scale)
    return Scaling(shift.astype(x.dtype), scale.astype(x.dtype))
