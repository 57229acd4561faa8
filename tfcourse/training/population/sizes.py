"""The number of members that are trained at a time, and the time that XLA saves, by estimates."""

import math

__all__ = ["choose_slots", "seconds_saved"]

# More members at a time hardly make one of them cheaper.
MOST_SLOTS = 64
# The bytes that the state of all slots may take; a program holds it a few times.
MOST_BYTES = 2**28
# The seconds that XLA saves of a step of all members, and the additional ones for each member.
SAVED_PER_STEP, SAVED_PER_MEMBER = 0.6e-3, 0.02e-3


def choose_slots(members: int, bytes_of_one: int) -> int:
    """Return how many members are trained at a time.

    At most 64, and no more than fit in 256 MB; of those the fewest that take no more rounds.

    Args:
        members: The number of members.
        bytes_of_one: The size of a member's state.
    """
    most = min(MOST_SLOTS, max(1, MOST_BYTES // bytes_of_one))
    return math.ceil(members / math.ceil(members / most))


def seconds_saved(steps: int, slots: int) -> float:
    """Return an estimate of the seconds that XLA saves, for `tfcourse.training.programs.jit.pays`.

    It compiles three to five times as long as without XLA. That was worth it from 2900 steps of
    8 members on, 900 of 32, 1300 of 64 and 800 of 128 (digits, 64-64 MLP with batch norm, batch
    64, on two CPU cores); with 256-256 units from 1800 steps of 8 members and 500 of 32; of 32
    members from 2100 steps with 16-16 units and 1700 with dropout, whose draws take long under
    XLA too.

    Args:
        steps: The steps that are planned in all.
        slots: The members that take part in each.
    """
    return steps * (SAVED_PER_STEP + slots * SAVED_PER_MEMBER)
