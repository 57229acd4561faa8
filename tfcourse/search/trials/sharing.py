"""How many of a search's trials share a compiled program, by the config alone."""

import math

from tfcourse.search.config.architecture import architectures
from tfcourse.search.config.search_config import SearchConfig

__all__ = ["trials_per_architecture", "trials_per_program"]

# How many trials a search is taken to have. Its own number may grow when it goes on, and must not
# change what its trials come to. So many, of 10 epochs on the digits, are about where XLA pays.
TRIALS = 32


def trials_per_program(config: SearchConfig) -> float:
    """How many trials a program of XLA's is expected to serve: at least 1.

    A search is taken to have 32 trials, see `trials_per_architecture`. The number depends on
    nothing that happens in the search, nor on its ``trials``: a trial is compiled or not in any
    process, after any interruption, and in a search that is extended, as it was before.
    """
    return trials_per_architecture(config, TRIALS) if config.search.reuse_models else 1.0


def trials_per_architecture(config: SearchConfig, trials: int) -> float:
    """How many of so many trials are expected to be of one architecture: at least 1.

    Each combination of values that are no state needs a program of its own; XLA needs to know the
    batch size too. The trials are taken to be spread over the combinations evenly, conditions left
    aside.
    """
    counts = [architectures(name, p, config.builder) for name, p in config.space.items()]
    return max(1.0, trials / math.prod(counts))
