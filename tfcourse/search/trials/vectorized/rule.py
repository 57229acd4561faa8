"""An estimate of when populations pay; nothing is timed, so that every process decides alike."""

import math
from collections.abc import Mapping

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.vectorized import vectorization_obstacles
from tfcourse.search.space.parameters import Parameter
from tfcourse.search.strategies.proposals import MODEL_BASED
from tfcourse.search.trials.sharing import trials_per_architecture
from tfcourse.search.trials.vectorized.group_size import MAX_GROUP_SIZE, max_parallel_trials

__all__ = ["should_vectorize", "speedup"]

MIN_SPEEDUP = 1.5
# Seconds of a trial, an epoch, and a step beside its arithmetic, with a reused model.
TRIAL, EPOCH, STEP = 30e-3, 3e-3, 0.14e-3
# The same of a member, and the further seconds of an epoch and a step of a whole population.
MEMBER, EPOCH_OF_MEMBER, STEP_OF_MEMBER = 15e-3, 0.5e-3, 0.035e-3
EPOCH_OF_ALL, STEP_OF_ALL = 5e-3, 0.1e-3
# The time of a member's arithmetic as a multiple of a single trial's.
ARITHMETIC = 1.6
# The further seconds to compile a population's program.
COMPILING = 2.0
# The positions at which the values of a parameter are sampled.
POSITIONS = [(number + 0.5) / 64 for number in range(64)]


def should_vectorize(
    config: SearchConfig, steps: int, arithmetic: float = 0.0, workers: int = 1
) -> bool:
    """Return True if the trials of an architecture are to be trained in populations.

    Args:
        config: The search.
        steps: The steps of an epoch.
        arithmetic: The seconds of a step's arithmetic; 0 for a model that is not known yet, to
            find out if it pays for any model.
        workers: The number of processes that share the trials; each compiles for itself.
    """
    search, training = config.search, config.training
    if search.caviar != "auto":
        return search.caviar == "population"
    if search.strategy in (*MODEL_BASED, "hyperband"):
        return False  # the numbers of trials at a time and of epochs are not known
    if training.early_stopping is not None or search.pruning is not None:
        return False  # the numbers of epochs are not known, and members wait for the longest
    if vectorization_obstacles(search, training, config.builder, config.space):
        return False
    expected = trials_per_architecture(config.space, config.builder, config.trials)
    trials = max(1.0, expected / workers)
    slots = min(math.ceil(max_parallel_trials(config) / workers), trials, MAX_GROUP_SIZE)
    epochs, longest = _epochs(config.space, training.epochs)
    return speedup(trials, epochs, steps, arithmetic, slots, longest) >= MIN_SPEEDUP


def _epochs(space: Mapping[str, Parameter], default: int) -> tuple[float, float]:
    """Return the mean and the maximum of a trial's epochs; conditions are ignored."""
    if "epochs" not in space:
        return default, default
    values = [space["epochs"].value_at(position) for position in POSITIONS]
    return sum(values) / len(values), max(values)


def speedup(
    trials: float,
    epochs: float,
    steps: int,
    arithmetic: float,
    slots: float,
    longest: float | None = None,
) -> float:
    """Return the time of trials of one architecture with a reused model, over that in populations.

    Fitted to searches of the digits on two CPU cores, each with validation and records: 3.3 for
    128 trials of 50 epochs of a 64-64 MLP, 2.3 with 20 epochs and 1.1 for 64 of 10; 1.3 for 64 of
    30 with 128-128 units, and 1.1 for 48 of 30 with 256-256. The estimate is too low for short
    searches.

    Args:
        trials: The number of trials.
        epochs: The epochs of each, on average.
        steps: The steps of each epoch.
        arithmetic: The seconds of a step's arithmetic.
        slots: The number of trials that are trained at a time.
        longest: The epochs of the longest trial, through which the others of its group keep their
            slots; by default ``epochs``.
    """
    longest = epochs if longest is None else longest
    alone = trials * (TRIAL + epochs * (EPOCH + steps * (STEP + arithmetic)))
    member = MEMBER + longest * (
        EPOCH_OF_MEMBER + steps * (STEP_OF_MEMBER + ARITHMETIC * arithmetic)
    )
    rounds = math.ceil(trials / slots) * longest
    together = COMPILING + trials * member + rounds * (EPOCH_OF_ALL + steps * STEP_OF_ALL)
    return alone / together
