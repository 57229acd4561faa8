"""The global seeds, set without emptying TensorFlow's cache of kernels."""

import random
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from tfcourse.internals.tensorflow import seed_state, set_global_seeds

__all__ = ["count_dropped_model", "generator_states", "set_seed"]

# The kernels of a model's variables take some 0.5 MB, those of its programs some 4 MB. The cache
# is emptied at a load of 50: a seed counts as 1, a model as 6.
MAX_LOAD, LOAD_PER_MODEL = 50, 6


@dataclass
class _Cache:
    """An account of TensorFlow's cache of kernels, which can't be looked into.

    Attributes:
        generator: The state in which `set_seed` left TensorFlow's generator.
        seeds: Those that were set since the cache was last emptied.
        load: An estimate of its size, see `MAX_LOAD`.
    """

    generator: Hashable = None
    seeds: set[int] = field(default_factory=set)
    load: int = 0


_CACHE = _Cache()


def set_seed(seed: int) -> None:
    """Do what ``keras.utils.set_random_seed`` does, at a fraction of the cost that follows it.

    ``tf.random.set_seed`` empties TensorFlow's cache of kernels, because its random ones would
    continue with their old seeds; every compiled program is then prepared again at its next call
    (0.2 s for a small model's training). Where nothing has drawn from TensorFlow's global generator
    since it was seeded, no such kernel can exist, and the cache stays; but that of an operation
    with a seed of its own belongs to both seeds, so the cache is emptied where a global seed is
    set a second time. It is emptied from time to time anyway, as it contains kernels of variables
    and programs that are gone.

    Args:
        seed: Any whole number.
    """
    state = seed_state()
    has_drawn = state is None or state != _CACHE.generator
    if has_drawn or seed in _CACHE.seeds or _CACHE.load >= MAX_LOAD:
        keras.utils.set_random_seed(seed)
        _CACHE.seeds, _CACHE.load = set(), 0
    else:
        random.seed(seed)
        np.random.seed(seed)
        set_global_seeds(seed)
        _CACHE.load += 1
    _CACHE.seeds.add(seed)
    _CACHE.generator = seed_state()


def count_dropped_model() -> None:
    """Record that a model's programs are not used any more, but still in the cache of kernels."""
    _CACHE.load += LOAD_PER_MODEL


def generator_states() -> Hashable:
    """Return the states of Python's and NumPy's global generators, which change with each draw."""
    state: Any = np.random.get_state(legacy=False)
    return (
        random.getstate(),
        repr(state["gauss"]),
        state["state"]["pos"],
        state["state"]["key"].tobytes(),
    )
