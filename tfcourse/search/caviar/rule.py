"""Whether populations pay: an estimate, not a timing, so that every process decides alike."""

import math

from tfcourse.search.caviar.hand import MOST_TOGETHER, at_once
from tfcourse.search.caviar.problems import obstacles
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.trials.sharing import trials_per_architecture

__all__ = ["speedup", "wanted"]

WORTH_IT = 1.5
# Of a trial, an epoch and a step beside its arithmetic, with a reused model: seconds.
TRIAL, EPOCH, STEP = 30e-3, 3e-3, 0.14e-3
# The same of a member, and what an epoch and a step of a whole population take beside that.
MEMBER, EPOCH_OF_MEMBER, STEP_OF_MEMBER = 15e-3, 0.5e-3, 0.035e-3
EPOCH_OF_ALL, STEP_OF_ALL = 5e-3, 0.1e-3
# How many times as long as alone a member's arithmetic takes.
ARITHMETIC = 1.6
# What a population's program takes longer to compile.
COMPILING = 2.0


def wanted(config: SearchConfig, steps: int, arithmetic: float = 0.0) -> bool:
    """Whether the trials of an architecture are trained in populations.

    Args:
        config: The search.
        steps: The steps of an epoch.
        arithmetic: The seconds that a step calculates. 0, for a model that is not known yet, says
            whether any is worth it.
    """
    search = config.search
    if search.caviar != "auto":
        return search.caviar == "population"
    if search.strategy in ("bayesian", "hyperband"):
        return False  # how many trials come at a time, and of how many epochs, is not known
    if obstacles(search, config.training, config.builder, config.space):
        return False
    trials = trials_per_architecture(config, search.trials)
    slots = min(at_once(config), trials, MOST_TOGETHER)
    return speedup(trials, config.training.epochs, steps, arithmetic, slots) >= WORTH_IT


def speedup(trials: float, epochs: int, steps: int, arithmetic: float, slots: float) -> float:
    """How many times as long ``trials`` trials of one architecture take with a reused model.

    Fitted to searches of the digits on two CPU cores, each with validation and records: 3.3 for
    128 trials of 50 epochs of a 64-64 MLP, 2.3 with 20 epochs and 1.1 for 64 of 10; 1.3 for 64 of
    30 with 128-128 units, and 1.1 for 48 of 30 with 256-256. Of short searches it says too little.

    Args:
        trials: How many there are.
        epochs: Of each.
        steps: Of each epoch.
        arithmetic: The seconds that a step calculates.
        slots: How many are trained at a time.
    """
    alone = trials * (TRIAL + epochs * (EPOCH + steps * (STEP + arithmetic)))
    member = MEMBER + epochs * (
        EPOCH_OF_MEMBER + steps * (STEP_OF_MEMBER + ARITHMETIC * arithmetic)
    )
    rounds = math.ceil(trials / slots) * epochs
    together = COMPILING + trials * member + rounds * (EPOCH_OF_ALL + steps * STEP_OF_ALL)
    return alone / together
