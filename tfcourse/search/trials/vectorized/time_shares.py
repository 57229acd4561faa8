"""Each member's share of the time of its group."""

import time
from collections.abc import Callable

__all__ = ["TimeShares"]


class TimeShares:
    """Time divided evenly among the members that are being trained.

    The shares of all members add up to the whole time.

    Args:
        members: The number of members.
        clock: Returns the time in seconds.
    """

    def __init__(self, members: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._members, self._clock = members, clock
        self._share, self._last = 0.0, clock()

    def end(self) -> float:
        """Remove a member, and return its share."""
        now = self._clock()
        self._share += (now - self._last) / self._members
        self._last = now
        self._members -= 1
        return self._share
