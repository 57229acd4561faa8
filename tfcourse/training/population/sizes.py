"""How many members at a time, how many steps a call, and whether XLA pays."""

import math
from typing import Any

from keras.src.trainers.trainer import model_supports_jit  # not public: the rule is Keras's own

from tfcourse.training.feeds import ArrayFeed
from tfcourse.training.inputs import SECONDS_PER_CALL
from tfcourse.training.jit import seconds_of_step

__all__ = ["choose_jit", "choose_slots", "steps_per_call"]

# More members at a time hardly make one of them cheaper, and each takes memory.
MOST_SLOTS = 64


def choose_slots(members: int) -> int:
    """Slots for so many members: the fewest that take no more rounds than `MOST_SLOTS` would."""
    return math.ceil(members / math.ceil(members / MOST_SLOTS))


def choose_jit(model: Any, steps: int, slots: int) -> bool:
    return True


def steps_per_call(model: Any, train: ArrayFeed, slots: int) -> int:
    """How many steps of all slots a program takes in one call, at most."""
    seconds = slots * seconds_of_step(model, train.sample, train.batch_size)
    return max(1, int(SECONDS_PER_CALL / seconds))
