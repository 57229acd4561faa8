"""The sizes of groups, and the trials that make up the next one."""

import math
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass

from tfcourse.search.config.architecture import architecture_count
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.strategies.hyperband import hyperband_round
from tfcourse.search.strategies.proposals import MODEL_BASED

__all__ = ["GroupSizes", "group_sizes", "max_parallel_trials", "next_group", "slot_count"]

# In larger groups a member is hardly cheaper, and a killed process loses all members.
MAX_GROUP_SIZE = 64
MAX_PREFETCH = 256
# Idle slots for each member that are sooner computed than another program is compiled.
IDLE_SLOTS = 0.25


@dataclass(frozen=True)
class GroupSizes:
    """The numbers of trials that a process trains and holds.

    Attributes:
        group_size: The most trials that it trains together.
        prefetch: The most trials that it holds, to find some of the same architecture among them.
    """

    group_size: int
    prefetch: int


def max_parallel_trials(config: SearchConfig) -> int:
    """Return how many trials' values can be known before one of them has ended."""
    settings = config.settings
    most: int = config.trials
    strategy = config.search.strategy
    if strategy == "coarse_to_fine":
        most = settings.trials_per_round
    elif strategy in MODEL_BASED:
        most = settings.parallel
    elif strategy == "hyperband":
        most = hyperband_round(0, config.training.epochs, settings.factor).size
    if config.search.pruning is not None:
        most = min(most, config.search.pruning.most_at_a_time)
    return min(most, config.trials)


def group_sizes(config: SearchConfig, workers: int) -> GroupSizes:
    """Return the sizes for each of ``workers`` processes: equal shares, in equal groups."""
    share = math.ceil(max_parallel_trials(config) / workers)
    size = _equal_parts(share)
    has_one_architecture = architecture_count(config.space, config.builder) == 1
    return GroupSizes(size, size if has_one_architecture else min(share, MAX_PREFETCH))


def slot_count(members: int, group_size: int, compiled: Collection[int] = ()) -> int:
    """Return the number of slots for a group: few different ones, as each compiles a program.

    It is the least of those that have been compiled, if few slots stay idle; otherwise the next
    power of 2, or above 8 the next multiple of 8, and at most ``group_size``.

    Args:
        members: The trials of the group.
        group_size: The most trials of a group.
        compiled: The numbers of slots of earlier groups of the same program.
    """
    fitting = [n for n in compiled if members <= n <= (1 + IDLE_SLOTS) * members]
    if fitting:
        return min(fitting)
    up = 2 ** math.ceil(math.log2(members)) if members <= 8 else 8 * math.ceil(members / 8)
    return min(up, group_size)


def next_group(prefetched: Mapping[int, Hashable], group_size: int) -> list[int]:
    """Return the trials to train next: those of the most frequent architecture.

    Of equally frequent architectures it is the one of the first trial.

    Args:
        prefetched: The architecture of each prefetched trial, by number.
        group_size: The most trials.
    """
    groups: dict[Hashable, list[int]] = {}
    for number in sorted(prefetched):
        groups.setdefault(prefetched[number], []).append(number)
    return max(groups.values(), key=len)[:group_size]


def _equal_parts(trials: int) -> int:
    """Return the size of the fewest equal groups of at most `MAX_GROUP_SIZE`."""
    return math.ceil(trials / math.ceil(trials / MAX_GROUP_SIZE))
