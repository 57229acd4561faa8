"""Bayesian optimization with a Gaussian process, as a function of the trials before a batch."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfcourse.search.space.discrete import configuration_of, new_values
from tfcourse.search.space.parameters import Parameter
from tfcourse.search.strategies.acquisition import around, log_expected_improvement, maximize
from tfcourse.search.strategies.batches import first_of_batch
from tfcourse.search.strategies.coordinates import Array, Coordinates
from tfcourse.search.strategies.evidence import (
    CAUTIOUS,
    CONFIDENT,
    Observations,
    observations_of,
    weigh,
)
from tfcourse.search.strategies.gaussian_process import Process, condition
from tfcourse.search.strategies.quasi_random import halton_points, quasi_random
from tfcourse.search.strategies.random_search import draw
from tfcourse.search.strategies.study import Memo, Records, Strategy, Study

__all__ = ["GP", "gaussian_process_batch"]

# The number of the best trials around which the search for the next positions begins.
STARTS = 4
# Where a drawn function is looked at: all over the space, and around the best trials.
EVERYWHERE, NEAR, WIDTH = 256, 4, 0.1
CAUTION = 0.5


def gaussian_process_batch(
    space: Mapping[str, Parameter],
    observations: Observations,
    seed: int,
    first: int,
    count: int,
    turns: bool = False,
) -> list[dict[str, Any]]:
    """Return the values of the trials ``first`` to ``first + count - 1``.

    Each has the largest expected improvement over the smallest posterior mean at a trial; of noisy
    losses the smallest one seen is too small. With ``turns`` the scores are assumed to be noisier,
    and of three trials in a row the second is the minimum of a function drawn from the posterior
    (Thompson sampling), the third the smallest upper bound, the mean plus half its deviation.

    Within the batch each trial is supposed to end at its posterior mean ("kriging believer", a
    constant liar that believes the process), so that the next one looks elsewhere. Where no trial
    has a loss they are quasi-random.

    Args:
        space: The parameters by name.
        observations: The trials before the batch.
        seed: The search's seed.
        first: The number of the batch's first trial.
        count: How many trials the batch has.
        turns: Whether the trials take turns, as in searches of earlier versions.
    """
    evidence = weigh(space, observations, CAUTIOUS if turns else CONFIDENT)
    numbers = range(first, first + count)
    if evidence is None:
        return [quasi_random(space, seed, number) for number in numbers]
    coordinates, process, units = evidence.coordinates, evidence.process, evidence.units
    batch = []
    for number in numbers:
        turn = number % 3 if turns else 0
        if turn == 1:
            place = _drawn_minimum(coordinates, process, units[:NEAR], seed, number)
        else:
            caution = CAUTION if turn == 2 else None
            place = _best_place(coordinates, process, units[:STARTS], seed, number, caution)
        batch.append(coordinates.values(place))
        point = coordinates.points(place[None])
        mean, _ = process.predict(point)
        process = condition(
            np.vstack([process.points, point]),
            np.append(process.targets, mean),
            process.scales,
            process.signal,
            process.noise,
        )
    return batch


def _best_place(
    coordinates: Coordinates,
    process: Process,
    starts: Array,
    seed: int,
    number: int,
    caution: float | None,
) -> Array:
    """Return the positions with the largest expected improvement.

    With a caution c, those with the smallest upper bound, the mean plus c standard deviations.
    """
    means, _ = process.predict(process.points)
    best = float(means.min())

    def score(places: Array) -> Array:
        mean, deviation = process.predict(coordinates.points(places))
        if caution is not None:
            return -(mean + caution * deviation)
        return log_expected_improvement(mean, deviation, best)

    return maximize(score, starts, len(coordinates.names), seed, number)


def _drawn_minimum(
    coordinates: Coordinates, process: Process, centres: Array, seed: int, number: int
) -> Array:
    """Return the positions where a function drawn from the posterior is smallest."""
    dimensions = len(coordinates.names)
    random = np.random.default_rng([seed, number, dimensions])
    points = halton_points(seed, range(EVERYWHERE), dimensions)
    shifted = (points + random.random(dimensions)) % 1.0
    places = np.vstack([shifted, *(around(centre, WIDTH, random) for centre in centres)])
    normals = random.standard_normal((1, len(places)))
    sample = process.draw(coordinates.points(places), normals)
    return np.asarray(places[int(np.argmin(sample[0]))])


def _values(study: Study, trial: int, finished: Records, memo: Memo) -> dict[str, Any]:
    """Return a quasi-random point of the first trials, and after them a trial of a batch."""
    before = _dependencies(study, trial)
    if not before:
        return draw(study, trial, finished, memo, point=quasi_random)
    first = before.stop
    if first not in memo.batches:
        observations = observations_of(
            {number: finished[number] for number in before}, study.direction
        )
        parallel = study.settings.parallel
        turns = study.settings.acquisition == "turns"
        batch = gaussian_process_batch(
            study.space, observations, study.seed, first, parallel, turns
        )
        tried = {configuration_of(study.space, values) for values, _ in observations}
        for place, values in enumerate(batch):
            batch[place] = new_values(study.space, values, study.seed, first + place, tried)
            tried.add(configuration_of(study.space, batch[place]))
        memo.batches[first] = batch
    return memo.batches[first][trial - first]


def _dependencies(study: Study, trial: int) -> range:
    """Return the trials before the batch; none of the first, quasi-random trials."""
    return range(first_of_batch(trial, study.settings.initial, study.settings.parallel))


GP = Strategy(_values, _dependencies)
