"""Where a trial's values come from: (space, seed, trial number), and nothing else."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfcourse.search.space.parameters import active

__all__ = ["position", "sample", "trial_seed"]


def sample(space: Mapping[str, Any], seed: int, trial: int, attempt: int = 0) -> dict[str, Any]:
    """The values of trial number ``trial``: independent, uniform on each parameter's scale.

    Each parameter has a stream of its own, named after it: adding one, or changing the order,
    leaves the values of the others as they were. One whose condition does not hold has no value.

    Args:
        space: The parameters by name, or a box of `tfcourse.search.strategies.coarse_to_fine`.
        seed: The search's seed, a whole number >= 0.
        trial: The trial's number, from 0.
        attempt: Which draw for the trial, from 0.
    """
    drawn = {
        name: parameter.value_at(position(seed, trial, name, attempt))
        for name, parameter in space.items()
    }
    return active(space, drawn)


def position(seed: int, trial: int, name: str, attempt: int = 0) -> float:
    """The position of a draw in [0, 1), from the parameter's own stream."""
    parts = [seed, trial, _key(name)]
    return float(np.random.default_rng([*parts, attempt] if attempt else parts).random())


def trial_seed(seed: int, trial: int, repeat: int = 0, fold: int = 0) -> int:
    """The seed of a training's weights, dropout and shuffling, in [0, 2³¹)."""
    parts = [seed, trial, repeat, fold] if repeat or fold else [seed, trial]
    return int(np.random.SeedSequence(parts).generate_state(1)[0] >> 1)


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
