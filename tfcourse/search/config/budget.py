"""Hints about the space of a search: the hyperparameters that its trials are enough for.

The order is the course's (1.1): the learning rate first; momentum and hidden units second; layers
and others third; Adam's β2 and ε last. Adam's β1 is second, and the numbers of trials are, as in
Google's Deep Learning Tuning Playbook (Godbole et al. 2023): with fewer than 10 trials the learning
rate alone, β1 from 10 trials on, ε from 25 on.
"""

from collections.abc import Iterable, Mapping

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.space.parameters import Parameter
from tfcourse.search.space.sampling import sample

__all__ = ["hints"]

FEWEST_FOR_TWO = 10
# The playbook's 25 trials are for learning rate, β1 and ε, and its 10 for the first two.
TRIALS_FOR_EACH = 6
FIRST, SECOND, LAST = ("learning_rate",), ("beta_1", "momentum", "units"), ("beta_2", "epsilon")
FEWEST_FOR_LAST = 25
DRAWS = 64


def hints(config: SearchConfig) -> list[str]:
    """Return a line for each way in which the space is not good advice for its trials."""
    lines = []
    names = _by_priority(name for name, p in config.space.items() if p.count != 1)
    if config.search.strategy != "grid":  # whose trials are its points
        lines += _of_trials(config.trials, _most_at_once(config.space), names)
    if config.trials < FEWEST_FOR_LAST and (last := [n for n in LAST if n in names]):
        lines.append(
            f"[search] trials = {config.trials}: {' and '.join(last)} rarely matter much. With "
            f"fewer than {FEWEST_FOR_LAST} trials leave out {_tables(last)}."
        )
    if "batch_size" in names and config.search.objective.startswith("val_"):
        lines.append(
            "[space.batch_size]: the batch size decides the speed. With the other hyperparameters "
            "tuned to it any size reaches the same score: fix it in [training] batch_size."
        )
    return lines


def _by_priority(names: Iterable[str]) -> list[str]:
    """Return hyperparameters in the order in which they should be searched."""

    def rank(name: str) -> int:
        if name in FIRST:
            return 0
        if name in SECOND:
            return 1
        return 4 if name == "batch_size" else 3 if name in LAST else 2

    return sorted(names, key=rank)


def _of_trials(trials: int, count: int, names: list[str]) -> list[str]:
    """Return a line if the trials are too few for the hyperparameters.

    Args:
        trials: The number of trials.
        count: The most hyperparameters that a trial has.
        names: The names of all, in the order of their priority.
    """
    if count < 2 or trials >= TRIALS_FOR_EACH * count:
        return []
    if trials < FEWEST_FOR_TWO:
        first = "the learning rate" if names[0] in FIRST else names[0]
        return [
            f"[search] trials = {trials}: with fewer than {FEWEST_FOR_TWO} trials search {first} "
            f"alone. Leave out {_tables(names[1:])}, or give {TRIALS_FOR_EACH * count} trials."
        ]
    enough = max(2, trials // TRIALS_FOR_EACH)
    return [
        f"[search] trials = {trials} is fewer than {TRIALS_FOR_EACH} for each of the {count} "
        f"hyperparameters of a trial. Search {', '.join(names[:enough])} first and leave out "
        f"{_tables(names[enough:])}, or give {TRIALS_FOR_EACH * count} trials."
    ]


def _tables(names: Iterable[str]) -> str:
    return ", ".join(f"[space.{name}]" for name in names)


def _most_at_once(space: Mapping[str, Parameter]) -> int:
    """Return the most hyperparameters, of more than one value, that a trial of a few has."""
    numbers = [
        sum(space[name].count != 1 for name in sample(space, 0, trial)) for trial in range(DRAWS)
    ]
    return max(numbers)
