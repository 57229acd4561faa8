"""The exponentially weighted average and its bias correction (course sections 1.5 and 2)."""

import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError, shown
from tfcourse.hyperparameters import Hyperparameter
from tfcourse.types import Scalar, Tensor, TensorLike

__all__ = [
    "bias_correction",
    "bias_correction_from_complement",
    "effective_window",
    "interpolate_average",
    "update_average",
    "weighted_average",
]


def update_average(average: TensorLike, value: TensorLike, one_minus_beta: Scalar) -> TensorLike:
    """Return ``v_t = β v_{t-1} + (1-β) θ_t``, computed as ``v + (1-β)(θ - v)``.

    The argument is 1-β rather than β: near β = 1 a float32 has lost the digits of 1-β that matter.
    """
    return average + one_minus_beta * (value - average)


def interpolate_average(
    average: TensorLike, value: TensorLike, one_minus_beta: Scalar
) -> TensorLike:
    """Return `update_average` as ``β v + (1-β) θ``, exact for β = 0 and for β = 1.

    For a share 1-β near 1, as in the first steps of a bias-corrected average: there ``v + (1-β)(θ -
    v)`` has lost the digits of a θ much smaller than v. For a small share it is the worse form: in
    float32 1-β and β do not add up to 1, which shifts the average of a constant by up to 6e-8/(1-β)
    of it.
    """
    return average * (1 - one_minus_beta) + value * one_minus_beta


def effective_window(beta: TensorLike) -> TensorLike:
    """Return ``1/(1-β)``, about the number of past values that the average spans (course 1.5).

    0.9 → 10, 0.9005 → 10.05, 0.999 → 1000, 0.9995 → 2000, for β < 1. A value of that age has about
    1/e of the newest one's weight.
    """
    return 1.0 / (1.0 - beta)


def bias_correction(beta: Scalar, step: Scalar) -> Scalar:
    """Return ``1 - β^t``, the weight of all t values together in an average that starts at 0.

    In float32 its error is up to 1e-5 in the first steps of β = 0.999;
    `bias_correction_from_complement` is exact to rounding.
    """
    return 1 - beta**step


def bias_correction_from_complement(one_minus_beta: Tensor, step: Tensor) -> Tensor:
    """Return ``1 - β^t`` as ``-expm1(t·log1p(-(1-β)))``, exact to rounding for every β.

    Both are TensorFlow tensors; ``step`` is of a float dtype, and at least 1.
    """
    import tensorflow as tf  # the other formulas need no TensorFlow

    return -tf.math.expm1(step * tf.math.log1p(-one_minus_beta))


def weighted_average(
    values: npt.ArrayLike, beta: float = 0.9, bias_correction: bool = False
) -> npt.NDArray[np.float64]:
    """Return the exponentially weighted average of a series, with one entry for each step.

    It starts at v_0 = 0. With ``bias_correction`` each entry is ``v_t / (1 - β^t)``, so that the
    first ones are not too small.

    Args:
        values: The series θ_1 … θ_T; the average runs along its first axis.
        beta: The decay β, 0 ≤ β < 1; it averages over about 1/(1-β) values.
        bias_correction: Whether to divide by the weight of the values so far.

    Raises:
        InputError: β lies outside [0, 1), or ``values`` is a single number.
    """
    decay = Hyperparameter("beta", float, 0, 1, maximum_allowed=False)
    if not decay.admits(beta):
        raise InputError(
            f"weighted_average: beta must be {decay.admissible}. Received: {shown(beta)}."
        )
    series = np.asarray(values, dtype=np.float64)
    if series.ndim == 0:
        raise InputError(f"weighted_average: values must be a series. Received: {shown(values)}.")
    one_minus_beta = 1 - float(beta)  # a float32 β would keep its few digits
    averages = np.empty_like(series)
    average, weight = np.zeros(series.shape[1:]), 0.0
    for t, value in enumerate(series):
        average = update_average(average, value, one_minus_beta)
        # The weight 1 - β^t as the average of ones: without the subtraction, which near β = 1
        # costs its digits.
        weight = update_average(weight, 1.0, one_minus_beta)
        averages[t] = average / weight if bias_correction else average
    return averages
