"""Hyperband's plan (Li et al. 2018), with the sizes and epochs that keras-tuner's has.

A bracket begins with many trials of few epochs; each round after it keeps the best of the one
before and trains them for ``factor`` times as many, up to all of them. The brackets go from the
most trials and fewest epochs to a plain random search, and then from the start again.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.discrete import configuration_of, new_values
from tfcourse.search.space.sampling import sample
from tfcourse.search.strategies.random_search import draw
from tfcourse.search.strategies.study import Memo, Records, Strategy, Study, by_quality

__all__ = ["HYPERBAND", "Round", "hyperband_round"]


@dataclass(frozen=True)
class Round:
    """One round of a bracket.

    Attributes:
        first: Its first trial.
        size: The number of its trials.
        epochs: The number of epochs that each of them trains.
        before: The first trial of the round before in the bracket, and the one after its last;
            None for a bracket's first round.
    """

    first: int
    size: int
    epochs: int
    before: tuple[int, int] | None


@lru_cache(maxsize=256)  # waiting workers ask for the same round again
def hyperband_round(trial: int, max_epochs: int, factor: int) -> Round:
    """Return the round of a trial.

    Args:
        trial: The trial's number, from 0.
        max_epochs: The most epochs that a trial gets.
        factor: The number of trials for each one that is promoted.
    """
    return next(r for r in _rounds(max_epochs, factor) if trial < r.first + r.size)


def _rounds(max_epochs: int, factor: int) -> Iterator[Round]:
    brackets, epochs = 0, float(max_epochs)
    while epochs >= 1:
        epochs, brackets = epochs / factor, brackets + 1
    last_size = math.ceil(1 + math.log(max_epochs, factor))
    first = 0
    for bracket in itertools.cycle(reversed(range(brackets))):
        before = None
        for number in range(bracket + 1):
            halvings = factor ** (bracket - number)
            size = math.ceil(last_size / (bracket + 1) * halvings)
            yield Round(first, size, math.ceil(max_epochs / halvings), before)
            before, first = (first, first + size), first + size


def _values(study: Study, trial: int, finished: Records, memo: Memo) -> dict[str, Any]:
    """Return the values of a trial, with its ``epochs`` and the trial that it ``continues``.

    A trial that continues another one is trained from its beginning, from the seed of that trial:
    the same run for longer. Where more trials of a round have failed than are promoted, new values
    take their places.
    """
    place = hyperband_round(trial, study.epochs, study.settings.factor)

    def box_of(number: int) -> Mapping[str, Any] | None:
        before = hyperband_round(number, study.epochs, study.settings.factor).before
        return study.space if before is None else None

    if place.before is None:
        return {**draw(study, trial, finished, memo, box_of), "epochs": place.epochs}
    ranked = _promotable({t: finished[t] for t in range(*place.before)}, study.direction)
    if trial - place.first >= len(ranked):
        draw(study, place.first - 1, finished, memo, box_of)
        earlier = [memo.draws.get(number) for number in range(place.first)]
        replaced = range(place.first + len(ranked), trial + 1)
        return {**_replacement(study, replaced, earlier), "epochs": place.epochs}
    best = ranked[trial - place.first]
    origin = best.values.get("continues", best.trial)
    return {**best.values, "epochs": place.epochs, "continues": origin}


def _promotable(records: Records, direction: str) -> list[TrialRecord]:
    """Return the trials of a round that may be continued, best first.

    Those that break a limit come after the others, by their scores: after more epochs they may
    break none.
    """
    ranked, others = by_quality(records, direction)
    broken = {r.trial: replace(r, status="completed") for r in others if r.status == "infeasible"}
    return ranked + by_quality(broken, direction)[0]


def _replacement(
    study: Study, numbers: Iterable[int], earlier: Iterable[Mapping[str, Any] | None]
) -> dict[str, Any]:
    """Return the values of the last of these trials; new ones where a discrete space has some."""
    space, seed = study.space, study.seed
    used = {configuration_of(space, values) for values in earlier if values}
    for number in numbers:
        values = new_values(space, sample(space, seed, number), seed, number, used)
        used.add(configuration_of(space, values))
    return values


def _dependencies(study: Study, trial: int) -> range:
    """Return the trials of the round before."""
    before = hyperband_round(trial, study.epochs, study.settings.factor).before
    return range(*before) if before else range(0)


HYPERBAND = Strategy(_values, _dependencies)
