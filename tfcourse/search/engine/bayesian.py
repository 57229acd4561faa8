"""keras-tuner's Gaussian process as a function of the records before a trial."""

import functools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle

from tfcourse.search.config.load import SearchConfig
from tfcourse.search.space.discrete import configuration_of, is_discrete, new_sample
from tfcourse.search.space.parameters import active
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.strategies.proposals import Memo, Records, by_quality, drawn

__all__ = ["bayesian"]


def bayesian(
    config: SearchConfig, trial: int, finished: Records, memo: Memo
) -> dict[str, Any] | None:
    """keras-tuner's Gaussian process over the positions on the scales, made anew for the trial.

    The trials run in batches of ``parallel``, and a batch begins when those before it have ended.
    Of the batch's own trials, it is supposed that they end like the worst so far ("constant
    liar"), so that the next one looks elsewhere; so are trials that failed.

    In a discrete space the process may come back to a configuration that was tried: in its place
    the trial has a new one, drawn.
    """
    settings, space = config.settings, config.space
    initial = settings.initial_of(len(space))
    if trial < initial:
        return drawn(config, trial, finished, memo)
    first = trial // settings.parallel * settings.parallel
    if any(t not in finished for t in range(first)):
        return None
    ranked, failed = by_quality({t: finished[t] for t in range(first)}, config.direction)
    if not ranked:
        return drawn(config, trial, finished, memo)
    worst = ranked[-1].score
    seen = [(record.values, record.score) for record in ranked]
    seen += [(record.values, worst) for record in failed]
    values: dict[str, Any] = {}
    for number in range(first, trial + 1):
        if number < initial:
            values = drawn(config, number, finished, memo) or {}
        else:
            values = _next_values(config, number, seen)
            if is_discrete(space):
                values = _new_values(config, number, values, [tried for tried, _ in seen])
        seen.append((values, worst))
    return values


def _new_values(
    config: SearchConfig, trial: int, values: dict[str, Any], tried: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """The values, or new ones if they were tried; these again where there are no new ones."""
    space = config.space
    configurations = {configuration_of(space, own) for own in tried}
    if configuration_of(space, values) not in configurations:
        return values
    return new_sample(space, space, config.search.seed, trial, configurations) or values


def _next_values(config: SearchConfig, trial: int, seen: Sequence[Any]) -> dict[str, Any]:
    """The values where keras-tuner's oracle goes on after those of ``seen``, with their scores."""
    space = config.space
    names = sorted(space)  # the tables' order in the file must not matter
    point = _next_point(
        # The middle where a trial had no value of its own.
        tuple(
            (tuple(space[n].unit_of(values[n]) if n in values else 0.5 for n in names), score)
            for values, score in seen
        ),
        config.direction,
        config.settings.beta,
        trial_seed(config.search.seed, trial) + 1,  # keras-tuner takes 0 for "draw one"
    )
    units = dict(zip(names, point, strict=True))
    return active(space, {name: p.value_at(units[name]) for name, p in space.items()})


@functools.lru_cache(maxsize=64)  # a batch asks for its first trials again
def _next_point(
    seen: tuple[tuple[tuple[float, ...], float], ...], direction: str, beta: float, seed: int
) -> tuple[float, ...]:
    """Where in the unit cube keras-tuner's oracle goes on after points with these scores."""
    from sklearn.exceptions import ConvergenceWarning  # an extra

    hyperparameters = keras_tuner.HyperParameters()
    names = [str(axis) for axis in range(len(seen[0][0]))]
    for name in names:
        hyperparameters.Float(name, 0.0, 1.0)
    oracle = BayesianOptimizationOracle(
        objective=keras_tuner.Objective("score", direction),
        num_initial_points=1,
        beta=beta,
        seed=seed,
        hyperparameters=hyperparameters,
    )
    for number, (point, score) in enumerate(seen):
        tried = hyperparameters.copy()
        tried.values = dict(zip(names, point, strict=True))
        oracle.trials[str(number)] = Trial(tried, str(number), TrialStatus.COMPLETED)
        oracle.trials[str(number)].score = score
    with warnings.catch_warnings():
        # Of the kernel's length at its bounds: nothing that a user of a search could mend.
        warnings.simplefilter("ignore", ConvergenceWarning)
        values = oracle.populate_space(str(len(seen)))["values"]
    return tuple(float(values[name]) for name in names)
