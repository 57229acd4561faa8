"""The evidence of trials about a space: a Gaussian process fitted to some of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfcourse.search.space.parameters import Parameter
from tfcourse.search.strategies.coordinates import Array, Coordinates
from tfcourse.search.strategies.gaussian_process import Process, fit_process
from tfcourse.search.strategies.priors import Prior, cautious_prior, confident_prior
from tfcourse.search.strategies.study import Records
from tfcourse.search.strategies.targets import robust_scores, standard_scores

__all__ = [
    "CAUTIOUS",
    "CONFIDENT",
    "MOST_TRIALS",
    "Evidence",
    "Observations",
    "observations_of",
    "weigh",
]

# Trials that have ended: values and loss, smaller being better; None for one that failed or breaks
# a limit.
Observations = Sequence[tuple[Mapping[str, Any], float | None]]

# A fit takes time with the cube of their number.
MOST_TRIALS = 150


@dataclass(frozen=True)
class Assumptions:
    """Assumptions about losses.

    Attributes:
        scores_of: Returns the values that a process is fitted to, of trials' losses.
        prior: The prior of the process's hyperparameters.
    """

    scores_of: Callable[[Sequence[float | None]], Array]
    prior: Prior


# To shrink a box, and to choose the single best next trial: the one must not be captured by luck,
# the other is corrected by the next trial.
CAUTIOUS = Assumptions(robust_scores, cautious_prior)
CONFIDENT = Assumptions(standard_scores, confident_prior)


@dataclass(frozen=True)
class Evidence:
    """A process and the trials that it was fitted to.

    Attributes:
        coordinates: The space's coordinates.
        process: The process of the losses.
        units: The trials' positions, the one with the smallest posterior mean first.
    """

    coordinates: Coordinates
    process: Process
    units: Array


def observations_of(records: Records, direction: str) -> Observations:
    """Return the trials of records, in the order of their numbers."""
    sign = 1.0 if direction == "min" else -1.0
    return [
        (record.values, None if score is None or not math.isfinite(score) else sign * score)
        for _, record in sorted(records.items())
        for score in (record.comparable_score,)
    ]


def weigh(
    space: Mapping[str, Parameter],
    observations: Observations,
    assumptions: Assumptions = CAUTIOUS,
) -> Evidence | None:
    """Return what the trials say; None where none of them has a loss.

    Of more than `MOST_TRIALS` trials the better ones are taken, and some of the others, evenly.

    Args:
        space: The parameters by name.
        observations: The trials, in the order of their numbers.
        assumptions: What is assumed of the losses.
    """
    if all(loss is None for _, loss in observations):
        return None
    coordinates = Coordinates(space)
    targets = assumptions.scores_of([loss for _, loss in observations])
    if len(observations) > MOST_TRIALS:
        order = np.argsort(targets, kind="stable")
        better = 2 * MOST_TRIALS // 3
        places = np.linspace(better, len(order) - 1, MOST_TRIALS - better).round().astype(int)
        rows = np.sort(np.concatenate([order[:better], order[places]]))
        observations, targets = [observations[place] for place in rows], targets[rows]
    units = coordinates.units([values for values, _ in observations])
    points = coordinates.points(units)
    process = fit_process(points, targets, coordinates.columns, assumptions.prior)
    means, _ = process.predict(points)
    return Evidence(coordinates, process, units[np.argsort(means, kind="stable")])
