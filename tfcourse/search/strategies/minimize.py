"""The minimum of a smooth function of a few variables, in NumPy alone."""

from collections.abc import Callable

import numpy as np

from tfcourse.search.strategies.coordinates import Array

__all__ = ["minimize"]

MOST_STEPS = 40
LONGEST_STEP = 1.5
SMALL_SLOPE = 0.02


def minimize(loss: Callable[[Array], tuple[float, Array]], start: Array) -> Array:
    """Return where BFGS ends (Nocedal and Wright 2006, algorithm 6.1).

    The line search halves the step until the loss falls by 10⁻⁴ of what the slope promises. It ends
    where no slope exceeds `SMALL_SLOPE`, after `MOST_STEPS` steps, or where none makes it fall.

    Args:
        loss: Gives the value and the slope at a point.
        start: Where to begin.
    """
    place = start
    value, slope = loss(place)
    inverse = np.eye(len(start)) / max(float(np.linalg.norm(slope)), 1.0)
    for step in range(MOST_STEPS):
        if np.abs(slope).max() <= SMALL_SLOPE:
            break
        move = -inverse @ slope
        move *= min(1.0, LONGEST_STEP / float(np.linalg.norm(move)))
        while True:
            after, slope_after = loss(place + move)
            if after <= value + 1e-4 * float(slope @ move):
                break
            move = move / 2
            if np.abs(move).max() < 1e-4:
                return place
        change = slope_after - slope
        place, value, slope = place + move, after, slope_after
        curvature = float(move @ change)
        if curvature > 1e-10:
            if step == 0:
                inverse = np.eye(len(start)) * curvature / float(change @ change)
            projection = np.eye(len(start)) - np.outer(move, change) / curvature
            inverse = projection @ inverse @ projection.T + np.outer(move, move) / curvature
    return place
