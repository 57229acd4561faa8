"""Each member's share of the time of all."""

import time
from collections.abc import Callable

__all__ = ["Shares"]


class Shares:
    """Divides time among those who are still there: what all get adds up to all of it.

    Args:
        members: How many there are.
        clock: Gives the time, in seconds.
    """

    def __init__(self, members: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._there, self._clock = members, clock
        self._share, self._last = 0.0, clock()

    def end(self) -> float:
        """A member leaves; gives its share."""
        now = self._clock()
        self._share += (now - self._last) / self._there
        self._last = now
        self._there -= 1
        return self._share
