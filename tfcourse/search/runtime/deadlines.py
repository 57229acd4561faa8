"""What the processes of a search do, since when, and how long they may."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfcourse.errors import InputError
from tfcourse.search.config.load import SearchConfig

__all__ = ["Preparing", "Running", "preparation_error", "preparation_limit"]

# TensorFlow's start, and the first model ever built, take longer than in the middle of a search.
LEAST_FOR_PREPARATION = 20.0


@dataclass
class Running:
    """A trial under way."""

    trial: int
    values: Mapping[str, Any]
    since: float = field(default_factory=time.monotonic)


@dataclass
class Preparing:
    """The data, or the first model, under way; ``part`` is "data" or "model"."""

    part: str
    since: float = field(default_factory=time.monotonic)


def preparation_limit(config: SearchConfig) -> float:
    """Return how many seconds the data, and the first model, may take; infinity for any number."""
    timeout = config.search.trial_timeout
    return math.inf if timeout is None else max(timeout, LEAST_FOR_PREPARATION)


def preparation_error(config: SearchConfig, part: str, limit: float) -> InputError:
    """Return the refusal of data or of a builder that takes too long."""
    what, remedy = {
        "data": (f'[data] source "{config.data.source}" gave no data', "the data function"),
        "model": (f'[model] builder "{config.builder.name}" gave no model', "the builder"),
    }[part]
    return InputError(
        f"{config.origin}: {what} in {limit:g} s, and was ended before any training. Mend "
        f"{remedy}, or give it more time: [search] trial_timeout = "
        f"{config.search.trial_timeout:g} (it counts as at least {LEAST_FOR_PREPARATION:g} s here)."
    )
