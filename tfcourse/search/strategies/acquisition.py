"""Expected improvement, and where in a space it is largest."""

import math
from collections.abc import Callable

import numpy as np

from tfcourse.search.strategies.coordinates import Array
from tfcourse.search.strategies.quasi_random import halton_points

__all__ = ["around", "log_expected_improvement", "maximize"]

# From here on the difference in `1 - t Φ(-t)/φ(t)` is taken from its series.
FAR = 20.0

EVERYWHERE = 512
CENTRES = 6
AROUND = 48
# How far, on the unit interval, the positions around a centre lie from it: round by round.
WIDTHS = (0.2, 0.1, 0.05, 0.02, 0.01)
# The share of positions around a centre that may jump anywhere in a dimension.
JUMPS = 0.3


def log_expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """Return the logarithm of ``E[max(best - f, 0)]`` for normal f.

    ``log σ + log(φ(z) + z Φ(z))`` with ``z = (best - μ)/σ``, without the cancellation and underflow
    far below 0 (Ament et al. 2023, "Unexpected improvements to expected improvement").
    """
    z = (best - mean) / deviation
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    below = 0.5 * np.array([math.erfc(-value / math.sqrt(2.0)) for value in z.tolist()])
    near = np.log(np.maximum(density + z * below, 1e-300))
    t = np.maximum(-z, 1.0)
    mills = below / np.maximum(density, 1e-300)
    rest = np.where(t < FAR, 1.0 - t * mills, 1 / t**2 - 3 / t**4 + 15 / t**6)
    log_density = -0.5 * t * t - 0.5 * math.log(2.0 * math.pi)
    far = log_density + np.log(np.maximum(rest, 1e-300))
    return np.log(deviation) + np.where(z > -1.0, near, far)


def maximize(
    score: Callable[[Array], Array], starts: Array, dimensions: int, seed: int, number: int
) -> Array:
    """Return the positions in the unit cube with the largest score that is found.

    It begins with points all over the cube and around the starts, and looks around the best of all
    in smaller and smaller steps, each in a few dimensions only. Positions are never computed from
    scores, only chosen by them: rounding in the scores rarely changes the result.

    Args:
        score: Gives the score of each row of positions.
        starts: Good positions to begin with, best first, one in a row.
        dimensions: How many the cube has.
        seed: The search's seed.
        number: The trial's number.
    """
    random = np.random.default_rng([seed, number, dimensions])
    shift = random.random(dimensions)
    places = (halton_points(seed, range(EVERYWHERE), dimensions) + shift) % 1.0
    places = np.vstack([places, *(around(row, 0.1, random) for row in starts)])
    scores = score(places)
    for width in WIDTHS:
        best = np.argsort(-scores, kind="stable")[:CENTRES]
        more = np.vstack([around(places[row], width, random) for row in best])
        places, scores = (
            np.vstack([places[best], more]),
            np.concatenate([scores[best], score(more)]),
        )
    best_place: Array = places[int(np.argmax(scores))]
    return best_place


def around(centre: Array, width: float, random: np.random.Generator) -> Array:
    """Return positions around one, each different in about half of the dimensions.

    Some jump in a dimension, as small steps change no choice. What would leave the cube comes back
    inside: were it moved to the edge, far too many would lie in corners, where the process knows
    least.
    """
    shape = (AROUND, len(centre))
    changed = random.random(shape) < max(0.5, 1.0 / len(centre))
    moved = centre + np.where(changed, width * random.standard_normal(shape), 0.0)
    jumps = random.random(shape) < 0.5 / len(centre)
    jumps &= random.random((AROUND, 1)) < JUMPS
    moved = np.where(jumps, random.random(shape), moved)
    moved = np.abs(moved) % 2.0
    return np.minimum(np.where(moved > 1.0, 2.0 - moved, moved), np.nextafter(1.0, 0.0))
