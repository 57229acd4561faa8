"""How many of a search's trials share a compiled program, by the config alone."""

import math

from tfcourse.search.config.load import SearchConfig
from tfcourse.search.space.architecture import architectures

__all__ = ["trials_per_architecture", "trials_per_program"]

# How many trials a search is taken to have. Its own number may grow when it goes on, and must not
# change what its trials come to. So many, of 10 epochs on the digits, are about where XLA pays.
TRIALS = 32


def trials_per_program(config: SearchConfig) -> float:
    """How many trials a program of XLA's is expected to serve: at least 1.

    See `trials_per_architecture`. The number depends on nothing that happens in the search: a
    trial is compiled or not in any process, and after any interruption, as it was before.
    """
    return trials_per_architecture(config) if config.search.reuse_models else 1.0


def trials_per_architecture(config: SearchConfig) -> float:
    """How many trials are expected to be of one architecture: at least 1.

    Each combination of values that are no state needs a program of its own; XLA needs to know the
    batch size too. A search is taken to have 32 trials, spread over the combinations evenly,
    conditions left aside: a search that is extended decides as before.
    """
    counts = [architectures(name, p, config.builder) for name, p in config.space.items()]
    return max(1.0, TRIALS / math.prod(counts))
