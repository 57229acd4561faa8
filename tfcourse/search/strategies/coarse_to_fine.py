"""Coarse to fine (course 1.3): from the trials so far to the box that the next round draws from.

A box is the space again, each parameter drawn from a part of its unit interval only, which is
measured in *scale coordinates*: halving a log range from 1e-4 to 1 leaves two decades of it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfcourse.search.space.parameters import Choice, Parameter, Range, When
from tfcourse.search.strategies.random_search import draw
from tfcourse.search.strategies.study import Memo, Records, Strategy, Study, by_quality

__all__ = ["COARSE_TO_FINE", "Part", "Weighted", "as_record", "refine", "rounds_on_record"]


@dataclass(frozen=True)
class Part:
    """A range, drawn from the positions ``start`` to ``end`` of its unit interval only.

    A whole number whose share of the interval is cut keeps the part that is left.
    """

    parameter: Range
    start: float = 0.0
    end: float = 1.0

    @property
    def when(self) -> When:
        """The range's condition."""
        return self.parameter.when

    def value_at(self, unit: float) -> int | float:
        """Return the value at position ``unit`` of the part."""
        position = self.start + (self.end - self.start) * unit
        return self.parameter.value_at(min(max(position, self.start), self.end))


@dataclass(frozen=True)
class Weighted:
    """A choice whose values have the shares ``weights``, which sum to 1."""

    parameter: Choice
    weights: tuple[float, ...]

    @property
    def when(self) -> When:
        """The choice's condition."""
        return self.parameter.when

    def value_at(self, unit: float) -> Any:
        """Return the value at position ``unit`` in [0, 1]."""
        passed = 0.0
        for value, weight in zip(self.parameter.values, self.weights, strict=True):
            passed += weight
            if unit < passed:
                return value
        return self.parameter.values[-1]


def refine(
    space: Mapping[str, Parameter],
    completed: Sequence[Mapping[str, Any]],
    failed: Sequence[Mapping[str, Any]],
    rounds: int,
    *,
    keep: float,
    shrink: float,
    floor: float,
) -> dict[str, Part | Weighted]:
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
    box: dict[str, Part | Weighted] = {}
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


def _highest(part: Part) -> Any:
    """Return the largest value that can be drawn; a stepped part ends where the next one begins."""
    stepped = part.parameter.step is not None or part.parameter.kind == "int"
    inside = stepped and part.end < 1
    return part.parameter.value_at(max(part.start, part.end - 1e-9) if inside else part.end)


def as_record(box: Mapping[str, Part | Weighted]) -> dict[str, dict[str, Any]]:
    """Return a box in the words of a config: low, high and scale, or values and their weights."""
    return {
        name: {
            "low": part.value_at(0.0),
            "high": _highest(part),
            "scale": part.parameter.scale,
        }
        if isinstance(part, Part)
        else {"values": list(part.parameter.values), "weights": list(part.weights)}
        for name, part in box.items()
    }


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


def rounds_on_record(
    study: Study, finished: Records, memo: Memo | None = None
) -> list[dict[str, Any]]:
    """Return each round's first and last trial and its box, as far as they are known.

    Args:
        study: The study; of another strategy there are no rounds.
        finished: The records of trials that have ended, by number.
        memo: The boxes of earlier calls for the same study.
    """
    if study.strategy != "coarse_to_fine":
        return []
    size = study.settings.trials_per_round
    # The record may hold more trials than the study has now.
    total = max([study.trials, *(trial + 1 for trial in finished)])
    rounds: list[dict[str, Any]] = []
    memo = Memo() if memo is None else memo
    for first in range(0, total, size):
        box = _box(study, first // size, finished, memo)
        if box is None:
            break
        last = min(first + size, total) - 1
        rounds.append({"first_trial": first, "last_trial": last, "box": as_record(box)})
    return rounds


def _box(
    study: Study, number: int, finished: Records, memo: Memo
) -> dict[str, Part | Weighted] | None:
    """Return the box of round ``number``; None while a trial of an earlier round is missing."""
    if number not in memo.boxes:
        before = range(number * study.settings.trials_per_round)
        if any(trial not in finished for trial in reversed(before)):  # the last are missing first
            return None
        ranked, failed = by_quality({trial: finished[trial] for trial in before}, study.direction)
        memo.boxes[number] = refine(
            study.space,
            [record.values for record in ranked],
            [record.values for record in failed],
            number,
            keep=study.settings.keep,
            shrink=study.settings.shrink,
            floor=study.settings.floor,
        )
    box: dict[str, Part | Weighted] = memo.boxes[number]
    return box


def _values(study: Study, trial: int, finished: Records, memo: Memo) -> dict[str, Any]:
    """Return values from the box of the trial's round."""
    size = study.settings.trials_per_round
    return draw(study, trial, finished, memo, lambda n: _box(study, n // size, finished, memo))


def _dependencies(study: Study, trial: int) -> range:
    """Return the trials of all earlier rounds."""
    size = study.settings.trials_per_round
    return range(trial // size * size)


COARSE_TO_FINE = Strategy(_values, _dependencies)
