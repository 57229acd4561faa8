"""Quasi-random search: points that fill the space more evenly than independent ones.

Google's Deep Learning Tuning Playbook recommends it for exploration: of n points each parameter's
interval is covered with gaps of about 1/n, and so is each pair of parameters, as far as n allows.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcourse.search.space.parameters import active
from tfcourse.search.strategies.random_search import draw
from tfcourse.search.strategies.study import Memo, Records, Strategy, Study

__all__ = ["QUASI_RANDOM", "halton_points", "quasi_random"]

# A double has 53 bits: further digits of a position would be rounded away.
BITS = 54


def quasi_random(space: Mapping[str, Any], seed: int, trial: int) -> dict[str, Any]:
    """Return the values of trial number ``trial``: a scrambled Halton point, through the scales.

    The point depends on the seed, the trial's number and the parameters' names alone. A whole
    number or a choice has the value whose share of the unit interval holds the position; a
    parameter whose condition does not hold has none.

    Args:
        space: The parameters by name, or a box of them.
        seed: The search's seed.
        trial: The trial's number, from 0.
    """
    # Sorted: the tables' order in the file must not matter.
    (point,) = halton_points(seed, [trial], len(space)).tolist()
    units = dict(zip(sorted(space), point, strict=True))
    return active(space, {name: p.value_at(units[name]) for name, p in space.items()})


def halton_points(seed: int, numbers: Sequence[int], dimensions: int) -> npt.NDArray[np.float64]:
    """Return points of the randomized Halton sequence, one in a row, in [0, 1) in each dimension.

    In dimension j with the j-th prime b, the digits d₀, d₁, ... of a point's number in base b
    become ``Σ πₖ(dₖ) b^-(k+1)`` with a random permutation πₖ of the digits for each place k (Owen
    2017, "A randomized Halton algorithm in R"): each point is uniform, and the first n points are
    as even as Halton's. The permutations come from the seed and the dimension, so that a point
    needs none of those before it.
    """
    points = np.zeros((len(numbers), dimensions))
    for dimension, base in enumerate(_primes(dimensions)):
        permutations = _permutations(seed, dimension, base)
        places = np.arange(len(permutations))
        digits = np.asarray(numbers)[:, None] // base**places % base
        sizes = np.divide.accumulate([1.0, *[base] * len(places)])[1:]
        # The sums of the terms in this order, as they were in earlier versions.
        points[:, dimension] = np.cumsum(permutations[places, digits] * sizes, axis=1)[:, -1]
    return np.minimum(points, np.nextafter(1.0, 0.0))


@lru_cache(maxsize=256)
def _permutations(seed: int, dimension: int, base: int) -> npt.NDArray[np.int64]:
    """Return the permutation of the digits at each place, one in a row."""
    places = next(k for k in count(1) if base**k >= 2**BITS)
    digits = np.tile(np.arange(base), (places, 1))
    return np.random.default_rng([seed, dimension, base]).permuted(digits, axis=1)


@lru_cache(maxsize=64)
def _primes(number: int) -> tuple[int, ...]:
    """Return the first primes."""
    primes: list[int] = []
    for candidate in count(2):
        if len(primes) == number:
            break
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
    return tuple(primes)


def _values(study: Study, trial: int, finished: Records, memo: Memo) -> dict[str, Any]:
    """Return the trial's point; of a discrete space one that no trial had before."""
    return draw(study, trial, finished, memo, point=quasi_random)


QUASI_RANDOM = Strategy(_values)
