"""How many of a search's trials share a compiled program, by the config alone."""

import math

from tfcourse.search.config.load import SearchConfig
from tfcourse.search.space.architecture import architectures

__all__ = ["trials_per_architecture", "trials_per_program"]


def trials_per_program(config: SearchConfig) -> float:
    """How many trials a program of XLA's is expected to serve: at least 1.

    See `trials_per_architecture`. The number depends on nothing that happens in the search: a
    trial is compiled or not in any process, and after any interruption, as it was before.
    """
    return trials_per_architecture(config) if config.search.reuse_models else 1.0


def trials_per_architecture(config: SearchConfig) -> float:
    """How many trials are expected to be of one architecture: at least 1.

    Each combination of values that are no state needs a program of its own; XLA needs to know the
    batch size too. The trials are taken to be spread over the combinations evenly, conditions left
    aside.
    """
    counts = [architectures(name, p, config.builder) for name, p in config.space.items()]
    return max(1.0, config.search.trials / math.prod(counts))
