"""Softmax and the cross-entropy (course section 3)."""

import numpy as np


def softmax(z):
    """``a = e^z / Σ e^z``."""
    t = np.exp(np.asarray(z, np.float64))
    return t / t.sum(-1, keepdims=True)


def cross_entropy(y, z):
    """``L = -Σ y_j log ŷ_j``, ŷ the softmax of z."""
    return -(y * np.log(softmax(z))).sum(-1)
