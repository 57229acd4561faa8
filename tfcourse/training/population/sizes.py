"""How many members at a time, how many steps a call, and whether XLA pays."""

import math
from typing import Any

from tfcourse.training.jit import seconds_of_step

__all__ = ["choose_jit", "choose_slots", "steps_per_call"]

MOST_SLOTS = 64
SECONDS_PER_CALL = 0.5


def choose_slots(members: int) -> int:
    """Slots for so many members: the fewest that take no more rounds than `MOST_SLOTS` would."""
    return math.ceil(members / math.ceil(members / MOST_SLOTS))


def choose_jit(model: Any, train: Any, slots: int, epochs: int) -> bool:
    return True


def steps_per_call(model: Any, train: Any, slots: int) -> int:
    """How many steps of all slots a program takes in one call, at most."""
    seconds = slots * seconds_of_step(model, train.sample, train.batch_size)
    return max(1, int(SECONDS_PER_CALL / seconds))
