"""The number of trials that share a compiled program, estimated from the config alone."""

from collections.abc import Mapping

from tfcourse.search.config.architecture import architecture_count
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.space.parameters import Parameter

__all__ = ["trials_per_architecture", "trials_per_program"]

# The number of trials that a search is assumed to have: its own number may grow when it is resumed,
# and must not change its trials' results. About 32 trials of 10 epochs on the digits make XLA pay.
TRIALS = 32
# The share of the epochs that a search with pruning is assumed to train, measured on the digits:
# 0.2 to 0.3 with "asha", 0.35 to 0.5 with "median".
PRUNED_SHARE = 1 / 3


def trials_per_program(config: SearchConfig) -> float:
    """Return how many trials one XLA program is expected to train: at least 1.

    A search is assumed to have 32 trials, see `trials_per_architecture`. The number depends neither
    on the course of the search nor on its ``trials``: whether a trial is compiled is the same in
    every process, after an interruption, and after the search is extended. With pruning three
    trials count as one.
    """
    if not config.search.reuse_models:
        return 1.0
    trials = TRIALS if config.search.pruning is None else TRIALS * PRUNED_SHARE
    return trials_per_architecture(config.space, config.builder, trials)


def trials_per_architecture(
    space: Mapping[str, Parameter], builder: Builder, trials: float
) -> float:
    """Return how many of ``trials`` trials are expected to have the same architecture: at least 1.

    Each combination of values that are not state needs its own program, as does each batch size
    with XLA. The trials are assumed to be spread evenly over the combinations; conditions are
    ignored.
    """
    return max(1.0, trials / architecture_count(space, builder))
