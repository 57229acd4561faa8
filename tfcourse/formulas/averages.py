"""The exponentially weighted average and its bias correction (course sections 1.5 and 2)."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "bias_correction",
    "bias_correction_from_complement",
    "effective_window",
    "update_average",
    "weighted_average",
]


def update_average(average: Any, value: Any, one_minus_beta: Any) -> Any:
    """``v_t = β v_{t-1} + (1-β) θ_t``, written as ``v + (1-β)(θ - v)``.

    Takes 1-β rather than β: near β = 1 a float32 has lost the digits of 1-β that matter.
    """
    return average + one_minus_beta * (value - average)


def effective_window(beta: float) -> float:
    """``1/(1-β)``: about how many past values the average spans (course 1.5).

    0.9 → 10, 0.9005 → 10.05, 0.999 → 1000, 0.9995 → 2000.
    """
    return 1.0 / (1.0 - beta)


def bias_correction(beta: Any, step: Any) -> Any:
    """``1 - β^t``, the weight that t values carry together in an average started at 0.

    In float32 it is off by up to 1e-5 in the first steps of β = 0.999;
    `bias_correction_from_complement` is not.
    """
    return 1 - beta**step


def bias_correction_from_complement(one_minus_beta: Any, step: Any) -> Any:
    """``1 - β^t = -expm1(t·log1p(-(1-β)))``: the same, exact to rounding for every β.

    Works on TensorFlow tensors; ``step`` is a float tensor, at least 1.
    """
    import tensorflow as tf  # the averages' other formulas serve without TensorFlow

    return -tf.math.expm1(step * tf.math.log1p(-one_minus_beta))


def weighted_average(
    values: npt.ArrayLike, beta: float = 0.9, bias_correction: bool = False
) -> npt.NDArray[np.float64]:
    """The exponentially weighted average of a whole series, one entry a step.

    Starts at v_0 = 0. With ``bias_correction`` each entry is ``v_t / (1 - β^t)``, so that the
    first ones are not too small.

    Args:
        values: The series θ_1 … θ_T; the average runs along its first axis.
        beta: The decay β, 0 ≤ β < 1; it averages over about 1/(1-β) values.
        bias_correction: Whether to divide by the weight gathered so far.

    Raises:
        ValueError: If β lies outside [0, 1).
    """
    if not 0 <= beta < 1:
        raise ValueError(f"beta must lie in [0, 1). Received: beta={beta}.")
    series = np.asarray(values, dtype=np.float64)
    averages = np.empty_like(series)
    average = np.zeros_like(series[0]) if len(series) else series
    for t, value in enumerate(series, start=1):
        average = update_average(average, value, 1 - beta)
        averages[t - 1] = average / (1 - beta**t) if bias_correction else average
    return averages
