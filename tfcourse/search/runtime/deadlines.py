"""Work under way in the processes of a search, and the time that it may take."""

import time
from dataclasses import dataclass, field

from tfcourse.errors import InputError
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.time_limits import more_time
from tfcourse.types import Hyperparameters

__all__ = ["Preparing", "Running", "preparation_error"]


@dataclass
class Running:
    """A trial under way."""

    trial: int
    values: Hyperparameters
    since: float = field(default_factory=time.monotonic)


@dataclass
class Preparing:
    """The data, or the first model, under way; ``part`` is "data" or "model"."""

    part: str
    since: float = field(default_factory=time.monotonic)


def preparation_error(config: SearchConfig, part: str, limit: float) -> InputError:
    """Return the refusal of data or of a builder that takes too long."""
    what, remedy = {
        "data": (f'[data] source "{config.data.source}" gave no data', "the data function"),
        "model": (f'[model] builder "{config.builder.name}" gave no model', "the builder"),
    }[part]
    timeout = config.search.trial_timeout
    assert timeout is not None, "without one there is no limit"
    return InputError(
        f"{config.origin}: {what} in {limit:g} s, and was ended before any training. Correct "
        f"{remedy}, or {more_time(timeout)}"
    )
