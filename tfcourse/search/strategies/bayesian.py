"""Bayesian search: keras-tuner's Gaussian process as a function of the records before a trial."""

from collections.abc import Sequence
from typing import Any

from tfcourse.search.space.discrete import configuration_of, new_values
from tfcourse.search.space.parameters import active
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.strategies.random_search import draw
from tfcourse.search.strategies.study import Memo, Records, Strategy, Study, by_quality

__all__ = ["BAYESIAN"]


def _values(study: Study, trial: int, finished: Records, memo: Memo) -> dict[str, Any]:
    """Return the values that a Gaussian process over the positions on the scales proposes.

    The trials run in batches of ``parallel``, and a batch begins when those before it have ended.
    The process is fitted for each trial to the batches before it. The batch's own earlier trials
    count as if they had ended like the worst so far ("constant liar"), so that the next one looks
    elsewhere; so do trials that failed.

    In a discrete space the process may return to a configuration that was tried: the trial then
    draws a new one.
    """
    initial = study.settings.initial_of(len(study.space))
    if trial < initial:
        return draw(study, trial, finished, memo)
    batch = _dependencies(study, trial)
    ranked, failed = by_quality({t: finished[t] for t in batch}, study.direction)
    if not ranked:
        return draw(study, trial, finished, memo)
    worst = ranked[-1].comparable_score
    scored = [(record.values, record.comparable_score) for record in ranked]
    scored += [(record.values, worst) for record in failed]
    values: dict[str, Any] = {}
    for number in range(batch.stop, trial + 1):
        if number < initial:
            values = draw(study, number, finished, memo)
        else:
            tried = {configuration_of(study.space, own) for own, _ in scored}
            values = _next_values(study, number, scored)
            values = new_values(study.space, values, study.seed, number, tried)
        scored.append((values, worst))
    return values


def _dependencies(study: Study, trial: int) -> range:
    """Return the trials of all earlier batches."""
    if trial < study.settings.initial_of(len(study.space)):
        return range(0)
    return range(trial // study.settings.parallel * study.settings.parallel)


def _next_values(study: Study, trial: int, scored: Sequence[Any]) -> dict[str, Any]:
    """Return the values that the process proposes after a sequence of (values, score)."""
    # Importing keras-tuner imports TensorFlow, which reading a config must not.
    from tfcourse.search.engine.gaussian_process import next_point

    space = study.space
    names = sorted(space)  # the tables' order in the file must not matter
    point = next_point(
        # The middle where a trial had no value of its own.
        tuple(
            (tuple(space[n].unit_of(values[n]) if n in values else 0.5 for n in names), score)
            for values, score in scored
        ),
        study.direction,
        study.settings.beta,
        trial_seed(study.seed, trial) + 1,  # 0 means a random seed for keras-tuner
    )
    units = dict(zip(names, point, strict=True))
    return active(space, {name: p.value_at(units[name]) for name, p in space.items()})


BAYESIAN = Strategy(_values, _dependencies)
