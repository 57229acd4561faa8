"""How many trials are trained together, and which of those in hand come next."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from tfcourse.search.config.architecture import architectures
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.strategies.hyperband import hyperband_round
from tfcourse.search.trials.sharing import trials_per_architecture

__all__ = ["GroupSizes", "at_once", "group_sizes", "next_group", "slots_of"]

# More members at a time hardly make one of them cheaper, and a kill costs all of them.
MOST_TOGETHER = 64
MOST_IN_HAND = 256


@dataclass(frozen=True)
class GroupSizes:
    """How many trials a process holds.

    Attributes:
        together: The most that it trains together.
        prefetch: The most that it holds, to find some of one architecture among them.
    """

    together: int
    prefetch: int


def at_once(config: SearchConfig) -> int:
    """How many trials' values can be known before one of them has ended."""
    settings, trials = config.settings, config.trials
    match config.search.strategy:
        case "coarse_to_fine":
            return min(settings.trials_per_round, trials)
        case "bayesian":
            return min(settings.parallel, trials)
        case "hyperband":
            first = hyperband_round(0, config.training.epochs, settings.factor)
            return min(first.size, trials)
    return trials


def group_sizes(config: SearchConfig, workers: int) -> GroupSizes:
    """How many trials each of ``workers`` processes holds: an equal share, in equal groups."""
    share = math.ceil(at_once(config) / workers)
    expected = min(share, math.ceil(trials_per_architecture(config, config.trials)))
    together = _equal_parts(expected if _one_architecture(config) else share)
    if _one_architecture(config):
        return GroupSizes(together, together)
    return GroupSizes(together, min(share, MOST_IN_HAND))


def slots_of(members: int, together: int) -> int:
    """The slots for a group: few different numbers, as a program is compiled for each.

    All of ``together``, or for a smaller group the next power of 2, above 8 the next multiple of 8.
    """
    up = 2 ** math.ceil(math.log2(members)) if members <= 8 else 8 * math.ceil(members / 8)
    return min(up, together)


def next_group(hand: Mapping[int, Hashable], together: int) -> list[int]:
    """The trials to train next: those of the architecture that most have.

    Args:
        hand: The architecture of each trial in hand, by number. Of equally many trials those
            with the first one come next.
        together: How many at most.
    """
    groups: dict[Hashable, list[int]] = {}
    for number in sorted(hand):
        groups.setdefault(hand[number], []).append(number)
    return max(groups.values(), key=len)[:together]


def _one_architecture(config: SearchConfig) -> bool:
    counts = (architectures(name, p, config.builder) for name, p in config.space.items())
    return math.prod(counts) == 1


def _equal_parts(trials: int) -> int:
    """The size of the fewest equal groups of at most `MOST_TOGETHER`."""
    return math.ceil(trials / math.ceil(trials / MOST_TOGETHER))
