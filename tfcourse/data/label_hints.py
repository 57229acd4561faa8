"""The remedies for labels that are not the numbers of classes, and for arrays of other shapes."""

import numpy as np
import numpy.typing as npt

__all__ = ["label_hint", "shape_hint"]

# More classes than these are likely numbers to predict, if most of the examples differ.
MOST_CLASSES = 20


def label_hint(y: npt.NDArray[np.generic]) -> str:
    """Return what to do about labels that are not 0, 1, … C-1, with a blank before.

    Args:
        y: The numbers of all examples, of one axis and at least one.
    """
    finite = np.isfinite(y)
    if not finite.all():
        return (
            f" {np.sum(~finite)} of {len(y)} are not finite, the first in row "
            f"{np.argmin(finite)}: leave out their rows."
        )
    labels = np.unique(y)
    if len(labels) == 1:
        return " All examples are of one class: a model needs others to learn from."
    whole = bool((labels == np.round(labels)).all())
    if not whole or len(labels) > max(MOST_CLASSES, len(y) // 2):
        return ' If they are numbers to predict, a regression, give loss = "mse".'
    return " Number them: np.unique(y, return_inverse=True)[1]."


def shape_hint(x: npt.NDArray[np.generic], y: npt.NDArray[np.generic]) -> str:
    """Return what to do about x and y of one input and output that don't have their shapes."""
    if x.ndim == 1 and y.ndim >= 2:
        return " They seem to be exchanged: give (x, y)."
    if x.ndim == 1:
        return " Of one feature, give x[:, None]."
    if y.ndim == 2:
        return (
            " Of rows with a 1 for the class, give y.argmax(axis=1). Of numbers to predict, a "
            'regression, give loss = "mse".'
        )
    return ""
