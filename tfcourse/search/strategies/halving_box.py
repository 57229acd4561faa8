"""The first rule of coarse to fine: a box that halves around the best trials in every round.

Searches that were begun before there was the rule of `tfcourse.search.strategies.posterior_box`
continue with it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tfcourse.search.space.parameters import Choice, Parameter, Range
from tfcourse.search.strategies.boxes import Box, Part, Weighted

__all__ = ["halving_box"]


def halving_box(
    space: Mapping[str, Parameter],
    completed: Sequence[Mapping[str, Any]],
    failed: Sequence[Mapping[str, Any]],
    rounds: int,
    *,
    keep: float,
    shrink: float,
    floor: float,
) -> Box:
    """Return the box of the round after ``rounds`` finished ones: the whole space after none.

    *Ranges.* The box is ``shrink ** rounds`` of the unit interval wide, at least ``floor``. Of the
    best trials (the share ``keep``), those within a width of the best one in every range are
    averaged, a better one weighing more: the box is centred there. Good trials in another valley
    do not pull it between the two. Where it would reach out of the range it is moved inside; it may
    leave the box before, at whose edge the best point was.

    *Choices.* A trial's credit falls evenly with its rank, from 1 for the best; a failed one has
    none. A value's weight is the mean credit of its trials (and of one average trial, so that luck
    counts less) to the power ``2 * rounds``; none falls below ``floor`` of an even share.

    A parameter with a condition looks only at the trials that had it; one that none had stays
    whole.

    Args:
        space: The parameters by name.
        completed: The values of the finished rounds' trials, best first.
        failed: Those of the trials that failed.
        rounds: The number of finished rounds.
        keep: The share of the completed trials that counts as the best.
        shrink: The factor on the width after a round.
        floor: The smallest width.
    """
    width = max(floor, shrink**rounds)
    total = len(completed) + len(failed)
    credits = [1 - place / total for place in range(len(completed))] + [0.0] * len(failed)
    box: Box = {}
    for name, parameter in space.items():
        if isinstance(parameter, Choice):
            trials = zip([*completed, *failed], credits, strict=True)
            earned = [(values[name], credit) for values, credit in trials if name in values]
            box[name] = _weighted(parameter, earned, 2 * rounds, floor)
            continue
        having = [values for values in completed if name in values]
        if rounds == 0 or not having:
            box[name] = Part(parameter)
            continue
        best = having[: math.ceil(keep * len(having))]
        start = min(max(_centre(name, space, best, width) - width / 2, 0.0), 1.0 - width)
        box[name] = Part(parameter, start, min(start + width, 1.0))
    return box


def _centre(
    name: str, space: Mapping[str, Parameter], best: Sequence[Mapping[str, Any]], width: float
) -> float:
    """Return the mean position of the best trials near the very best one, weighted by rank."""
    ranges = {n: p for n, p in space.items() if isinstance(p, Range) and n in best[0]}
    first = {n: p.unit_of(best[0][n]) for n, p in ranges.items()}
    weighted = total = 0.0
    for place, values in enumerate(best):
        shared = [n for n in ranges if n in values]
        if all(abs(ranges[n].unit_of(values[n]) - first[n]) <= width for n in shared):
            weight = len(best) - place
            weighted += weight * ranges[name].unit_of(values[name])
            total += weight
    return weighted / total


def _weighted(
    choice: Choice, earned: Sequence[tuple[Any, float]], power: int, floor: float
) -> Weighted:
    """Return the choice with each value's weight from its trials' credits, as (value, credit)."""
    even = 1 / choice.count
    average = sum(credit for _, credit in earned) / len(earned) if earned else 0.0
    if not average:
        return Weighted(choice, (even,) * choice.count)
    means = []
    for value in choice.values:
        own = [credit for tried, credit in earned if tried == value]
        means.append((sum(own) + average) / (len(own) + 1))
    powers = [(mean / max(means)) ** power for mean in means]
    return Weighted(choice, tuple(floor * even + (1 - floor) * p / sum(powers) for p in powers))
