"""The global seeds, set without TensorFlow forgetting what it has compiled."""

import random
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from tfcourse.internals.tensorflow import seed_state, set_global_seeds

__all__ = ["drawn_from", "let_go_of_programs", "set_seed"]

# The kernels of a model's variables take some 0.5 MB, those of its programs some 4 MB.
SEEDS_PER_CACHE, SEEDS_PER_MODEL = 50, 6


@dataclass
class _Last:
    """What `set_seed` left: TensorFlow's generator, and since the cache was last emptied the
    seeds, and how much it has come to hold.
    """

    generator: Any = None
    seeds: set[int] = field(default_factory=set)
    kept: int = 0


_LAST = _Last()


def set_seed(seed: int) -> None:
    """``keras.utils.set_random_seed``, at a fraction of the cost that follows it.

    ``tf.random.set_seed`` empties TensorFlow's cache of kernels, whose random ones would go on
    with their old seeds; every compiled program is then prepared anew at its next call (0.2 s for
    a small model's training). Where nothing has drawn from TensorFlow's global generator since
    it was seeded, no such kernel can exist, and the cache is kept; but that of an operation with a
    seed of its own belongs to both seeds, so it is emptied where a global seed comes again. It is
    emptied at times anyway, as it keeps kernels for variables and programs that are gone.

    Args:
        seed: Any whole number.
    """
    now = seed_state()
    drawn = now is None or now != _LAST.generator
    if drawn or seed in _LAST.seeds or _LAST.kept >= SEEDS_PER_CACHE:
        keras.utils.set_random_seed(seed)
        _LAST.seeds, _LAST.kept = set(), 0
    else:
        set_global_seeds(seed)
        random.seed(seed)
        np.random.seed(seed)
        _LAST.kept += 1
    _LAST.seeds.add(seed)
    _LAST.generator = seed_state()


def let_go_of_programs() -> None:
    """Says that a model's programs are used no more: after some of them the cache is emptied."""
    _LAST.kept += SEEDS_PER_MODEL


def drawn_from() -> tuple[Any, ...]:
    """What the global generators of Python and NumPy are in: it changes when one is drawn from."""
    state: Any = np.random.get_state(legacy=False)
    return (
        random.getstate(),
        repr(state["gauss"]),
        state["state"]["pos"],
        state["state"]["key"].tobytes(),
    )
