"""How many of a search's trials share a compiled program, by the config alone."""

import math

from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.models.build import BUILDERS
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.space.parameters import Choice, Parameter

__all__ = ["trials_per_program"]

# How many trials a search is taken to have. Its own number may grow when it goes on, and must not
# change what its trials come to. So many, of 10 epochs on the digits, are about where XLA pays.
TRIALS = 32
# They are in variables of the optimizer, or say how often the program is called.
STATE = {"epochs", *(name for names in OPTIMIZER_ARGUMENTS.values() for name in names)}


def trials_per_program(config: SearchConfig) -> float:
    """How many trials a program of XLA's is expected to serve: at least 1.

    Each combination of values that are no state needs a program of its own; XLA needs to know the
    batch size too. A search is taken to have 32 trials, spread over the combinations evenly,
    conditions left aside. The number depends on nothing that happens in the search, nor on its
    ``trials``: a trial is compiled or not in any process, after any interruption, and in a search
    that is extended, as it was before.
    """
    if not config.search.reuse_models:
        return 1.0
    counts = [_architectures(name, parameter, config) for name, parameter in config.space.items()]
    return max(1.0, TRIALS / math.prod(counts))


def _architectures(name: str, parameter: Parameter, config: SearchConfig) -> float:
    """How many programs the values of one parameter need."""
    ours = config.builder.function in BUILDERS.values()
    if name == "dropout" and ours:
        # Its rate is a variable; 0 is no layer at all.
        choice = isinstance(parameter, Choice) and 0 in parameter.values
        return 2 if choice and parameter.count != 1 else 1
    if name in STATE and name not in config.builder.arguments:
        return 1
    return math.inf if parameter.count is None else parameter.count
