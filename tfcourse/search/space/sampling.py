"""Random values and seeds of a trial, as functions of the search's seed and its number."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfcourse.search.space.parameters import active

__all__ = ["position", "sample", "trial_seed"]


def sample(space: Mapping[str, Any], seed: int, trial: int, attempt: int = 0) -> dict[str, Any]:
    """Return the values of trial number ``trial``, uniform on each parameter's scale.

    Each parameter has a random stream that depends on its name: adding one, or changing the order,
    does not change the values of others. A parameter that is not active has no value.

    Args:
        space: The parameters by name, or a box of `tfcourse.search.strategies.coarse_to_fine`.
        seed: The search's seed, a whole number >= 0.
        trial: The trial's number, from 0.
        attempt: The number of the draw for the trial, from 0.
    """
    values = {
        name: parameter.value_at(position(seed, trial, name, attempt))
        for name, parameter in space.items()
    }
    return active(space, values)


def position(seed: int, trial: int, name: str, attempt: int = 0) -> float:
    """Return the position of a draw in [0, 1), from the parameter's own stream."""
    parts = [seed, trial, _key(name)]
    return float(np.random.default_rng([*parts, attempt] if attempt else parts).random())


def trial_seed(seed: int, trial: int, repeat: int = 0, fold: int = 0) -> int:
    """Return the seed of a training's weights, dropout and shuffling, in [0, 2³¹)."""
    parts = [seed, trial, repeat, fold] if repeat or fold else [seed, trial]
    return int(np.random.SeedSequence(parts).generate_state(1)[0] >> 1)


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
