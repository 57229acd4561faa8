"""Whether populations pay: an estimate, not a timing, so that every process decides alike."""

import math

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.vectorized import obstacles
from tfcourse.search.trials.sharing import trials_per_architecture
from tfcourse.search.trials.vectorized.group_size import MOST_TOGETHER, at_once

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
# Where the values of a parameter are looked at.
EVENLY = [(number + 0.5) / 64 for number in range(64)]


def wanted(config: SearchConfig, steps: int, arithmetic: float = 0.0, workers: int = 1) -> bool:
    """Whether the trials of an architecture are trained in populations.

    Args:
        config: The search.
        steps: The steps of an epoch.
        arithmetic: The seconds that a step calculates. 0, for a model that is not known yet, says
            whether any is worth it.
        workers: How many processes share the trials; each compiles for itself.
    """
    search = config.search
    if search.caviar != "auto":
        return search.caviar == "population"
    if search.strategy in ("bayesian", "hyperband"):
        return False  # how many trials come at a time, and of how many epochs, is not known
    if config.training.early_stopping is not None:
        return False  # nor is it here, and those that stop would wait for the longest
    if obstacles(search, config.training, config.builder, config.space):
        return False
    trials = max(1.0, trials_per_architecture(config, config.trials) / workers)
    slots = min(math.ceil(at_once(config) / workers), trials, MOST_TOGETHER)
    epochs, longest = _epochs(config)
    return speedup(trials, epochs, steps, arithmetic, slots, longest) >= WORTH_IT


def _epochs(config: SearchConfig) -> tuple[float, float]:
    """The epochs of a trial, on average and at most, conditions left aside."""
    if "epochs" not in config.space:
        return config.training.epochs, config.training.epochs
    values = [config.space["epochs"].value_at(unit) for unit in EVENLY]
    return sum(values) / len(values), max(values)


def speedup(
    trials: float,
    epochs: float,
    steps: int,
    arithmetic: float,
    slots: float,
    longest: float | None = None,
) -> float:
    """How many times as long ``trials`` trials of one architecture take with a reused model.

    Fitted to searches of the digits on two CPU cores, each with validation and records: 3.3 for
    128 trials of 50 epochs of a 64-64 MLP, 2.3 with 20 epochs and 1.1 for 64 of 10; 1.3 for 64 of
    30 with 128-128 units, and 1.1 for 48 of 30 with 256-256. Of short searches it says too little.

    Args:
        trials: How many there are.
        epochs: Of each, on average.
        steps: Of each epoch.
        arithmetic: The seconds that a step calculates.
        slots: How many are trained at a time.
        longest: The epochs of the longest one, through which the others of its group keep their
            slots; as of each if it is not given.
    """
    longest = epochs if longest is None else longest
    alone = trials * (TRIAL + epochs * (EPOCH + steps * (STEP + arithmetic)))
    member = MEMBER + longest * (
        EPOCH_OF_MEMBER + steps * (STEP_OF_MEMBER + ARITHMETIC * arithmetic)
    )
    rounds = math.ceil(trials / slots) * longest
    together = COMPILING + trials * member + rounds * (EPOCH_OF_ALL + steps * STEP_OF_ALL)
    return alone / together
