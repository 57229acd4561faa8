"""How many members at a time, how many steps a call, and whether XLA pays: rules, not timings."""

import math
from typing import Any

from tfcourse.training.data.feeds import ArrayFeed
from tfcourse.training.data.inputs import SECONDS_PER_CALL
from tfcourse.training.programs.jit import WORTH_COMPILING, may_compile, seconds_of_step

__all__ = ["choose_jit", "choose_slots", "steps_per_call"]

# More members at a time hardly make one of them cheaper.
MOST_SLOTS = 64
# What all slots' state may take; a program holds it a few times.
MOST_BYTES = 2**28
# What XLA saves of a step of all members: so much, and so much more for each of them.
SAVED_PER_STEP, SAVED_PER_MEMBER = 0.6e-3, 0.02e-3


def choose_slots(members: int, bytes_of_one: int) -> int:
    """How many members are trained at a time.

    At most 64, and no more than fit in 256 MB; of those the fewest that take no more rounds.

    Args:
        members: How many there are.
        bytes_of_one: What a member's state takes.
    """
    most = min(MOST_SLOTS, max(1, MOST_BYTES // bytes_of_one))
    return math.ceil(members / math.ceil(members / most))


def choose_jit(model: Any, steps: int, slots: int) -> bool:
    """Whether XLA saves more than the two seconds that it compiles longer.

    It compiles three to five times as long as without XLA. That was worth it from 2900 steps of
    8 members on, 900 of 32, 1300 of 64 and 800 of 128 (digits, 64-64 MLP with batch norm, batch
    64, on two CPU cores); with 256-256 units from 1800 steps of 8 members and 500 of 32; of 32
    members from 2100 steps with 16-16 units and 1700 with dropout, whose draws take long under
    XLA too.

    Args:
        model: The compiled model.
        steps: How many steps are planned in all.
        slots: How many members take part in each.
    """
    saved = steps * (SAVED_PER_STEP + slots * SAVED_PER_MEMBER)
    return may_compile(model) and saved > WORTH_COMPILING


def steps_per_call(model: Any, train: ArrayFeed, slots: int) -> int:
    """How many steps of all slots a program takes in one call, at most."""
    seconds = slots * seconds_of_step(model, train.sample, train.batch_size)
    return max(1, int(SECONDS_PER_CALL / seconds))
