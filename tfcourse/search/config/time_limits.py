"""The seconds that the data, a model and their modules may take before the first trial."""

import math
from contextlib import AbstractContextManager, nullcontext

from tfcourse.search.config.tables import SearchTable
from tfcourse.time_limits import time_limit

__all__ = ["limited_preparation", "more_time", "preparation_limit"]

# TensorFlow's start, and the first model ever built, take longer than in the middle of a search.
LEAST_FOR_PREPARATION = 20.0


def preparation_limit(timeout: float | None) -> float:
    """Return the seconds for ``[search] trial_timeout``; infinity where it is None."""
    return math.inf if timeout is None else max(timeout, LEAST_FOR_PREPARATION)


def more_time(timeout: float) -> str:
    """Return the words that name the key, for the end of a message."""
    return (
        f"give it more time: [search] trial_timeout = {timeout:g} (it counts as at least "
        f"{LEAST_FOR_PREPARATION:g} s here)."
    )


def limited_preparation(table: SearchTable | None) -> AbstractContextManager[None]:
    """Return a context that limits the user's code inside it, while a config is read."""
    timeout = None if table is None else table.trial_timeout
    if timeout is None:
        return nullcontext()
    return time_limit(preparation_limit(timeout), f"Correct it, or {more_time(timeout)}")
