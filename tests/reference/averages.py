"""Exponentially weighted averages by their definition as a weighted sum."""

from decimal import Decimal, localcontext

import numpy as np


def weighted_average(values, beta):
    """``v_t = (1-β) Σ_i β^(t-i) θ_i``: the recursion of the course, unrolled."""
    values = np.asarray(values, np.float64)
    return np.array(
        [
            sum((1 - beta) * beta ** (t - i) * values[i] for i in range(t + 1))
            for t in range(len(values))
        ]
    )


def bias_correction(beta, step):
    """``1 - β^t`` with 60 digits."""
    with localcontext(prec=60):
        return float(1 - Decimal(beta) ** step)
