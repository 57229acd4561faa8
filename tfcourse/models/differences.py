"""The numerical gradient of a cost beside its analytic one, parameter by parameter (course 5.8)."""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfcourse.errors import InputError
from tfcourse.formulas.gradients import rounding_noise, two_sided_difference
from tfcourse.models.float64 import Cost

__all__ = ["Derivatives", "derivatives"]

NEARER = 100  # the factor by which the second step is smaller
# The distance, relative to θ, and number of the values from which J's rounding is estimated; and
# the number of standard deviations by which it may change a derivative.
TINY, VALUES, DEVIATIONS = 1e-12, 9, 10


class Derivatives(NamedTuple):
    """The derivatives of the parameters that were compared, with one entry for each.

    Attributes:
        variable: The number of its variable.
        place: Its place in the flat variable.
        numeric: The two-sided difference.
        analytic: The gradient.
        rounding: The largest error of ``numeric`` by the rounding of J.
        kink: Whether J has a kink there, with the gradient between the slopes of both sides.
    """

    variable: Any
    place: Any
    numeric: Any
    analytic: Any
    rounding: Any
    kink: Any


class _Slopes(NamedTuple):
    """J's slopes around a parameter: across it, above it, below it; and their rounding error."""

    across: float
    above: float
    below: float
    rounding: float


def derivatives(
    what: str, cost: Cost, places: list[Any], epsilon: float, tolerance: float
) -> Derivatives:
    """Compute the derivatives with respect to the parameters at some places of each variable.

    If a parameter's difference alone could bring the ratio above ``tolerance``, a second step is
    100 times smaller: a kink within the first step is then mostly outside, and one that is still
    inside is distinguished from curvature, by which the two sides' slopes would differ less.

    Args:
        what: The model or function, for messages.
        cost: The cost and its gradient.
        places: For each variable, the flat indices of its parameters to compare.
        epsilon: The step, times ``max(1, |θ|)``.
        tolerance: The ratio below which gradients count as equal.

    Raises:
        InputError: The cost is not finite, or differs between two evaluations.
    """
    flat = [tf.constant(value.ravel()) for value in cost.values]
    start, noise = _at_the_start(what, cost, flat)

    def moved(variable: int, index: int, value: float) -> float:
        parameters = [*flat]
        parameters[variable] = tf.tensor_scatter_nd_update(flat[variable], [[index]], [value])
        return float(cost.evaluate(*parameters))

    def slopes(variable: int, index: int, step: float) -> _Slopes:
        value = float(flat[variable][index])
        step *= max(1.0, abs(value))
        above, below = value + step, value - step  # as rounded, which the distances account for
        plus, minus = moved(variable, index, above), moved(variable, index, below)
        across = two_sided_difference(plus, minus, (above - below) / 2)
        rounding = DEVIATIONS * noise / step
        return _Slopes(
            across, (plus - start) / (above - value), (start - minus) / (value - below), rounding
        )

    where = [(k, int(i)) for k, indices in enumerate(places) for i in indices]
    gradient = [g.numpy() for g in cost.gradient(*flat)]
    analytic = np.array([gradient[k][i] for k, i in where])
    looks = [slopes(k, i, epsilon) for k, i in where]
    numeric = np.array([look.across for look in looks])
    rounding = np.array([look.rounding for look in looks])
    kink = np.zeros(len(where), bool)
    scale = np.linalg.norm(numeric) + np.linalg.norm(analytic)
    equal = np.abs(numeric - analytic) <= tolerance * scale / math.sqrt(len(where))
    for n in np.flatnonzero(~equal):
        nearer = slopes(*where[n], epsilon / NEARER)
        kink[n] = _is_kink(looks[n], nearer, analytic[n])
        if abs(nearer.across - analytic[n]) < abs(numeric[n] - analytic[n]):
            numeric[n], rounding[n] = nearer.across, nearer.rounding
    variable, place = np.array(where).T
    return Derivatives(variable, place, numeric, analytic, rounding, kink)


def _is_kink(look: _Slopes, nearer: _Slopes, analytic: float) -> bool:
    """Return whether the sides' slopes stay apart, with the gradient between them.

    For a smooth J they differ by ``ε J''``, 100 times less for a step 100 times smaller.
    """
    bend = abs(nearer.above - nearer.below)
    bends = bend > max(0.1 * abs(look.above - look.below), nearer.rounding)
    low, high = sorted((nearer.above, nearer.below))
    slack = nearer.rounding + 1e-3 * bend  # for the curvature of one side
    return bends and low - slack <= analytic <= high + slack


def _at_the_start(what: str, cost: Cost, flat: list[Any]) -> tuple[float, float]:
    """Return J(θ) and the standard deviation of its rounding."""
    start, again = float(cost.evaluate(*flat)), float(cost.evaluate(*flat))
    if not math.isfinite(start):
        raise InputError(
            f"gradient_check: the cost of {what} must be a finite number. Received: {start}. Look "
            "for NaN, infinity or too large numbers in the inputs, labels and parameters."
        )
    if abs(start - again) > 1e-10 * max(abs(start), abs(again)):
        raise InputError(
            f"gradient_check: the cost of {what} must be the same each time. Received: {start!r}, "
            f"then {again!r}. Draw its random numbers with a keras.random.SeedGenerator of the "
            "model or layer, or with a fixed seed."
        )
    rng = np.random.default_rng(0)
    directions = [TINY * rng.uniform(-1, 1, v.shape) * np.maximum(1, np.abs(v)) for v in flat]
    costs = [
        cost.evaluate(*(v + n * d for v, d in zip(flat, directions, strict=True)))
        for n in range(VALUES)
    ]
    # J itself is rounded to float64, also where it hardly changes.
    return start, max(float(rounding_noise(tf.stack(costs))), np.spacing(abs(start)) / 12**0.5)
