"""Coarse to fine (course 1.3): rounds of trials, each drawn from a box that earlier ones give.

The first round draws from the whole space. The rule of the boxes is that of
`tfcourse.search.strategies.posterior_box`, or the older one of `tfcourse.search.strategies.
halving_box`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfcourse.search.strategies.acquisition import log_expected_improvement
from tfcourse.search.strategies.boxes import Box, as_record
from tfcourse.search.strategies.evidence import Evidence, observations_of, weigh
from tfcourse.search.strategies.halving_box import halving_box
from tfcourse.search.strategies.posterior_box import is_outside, posterior_box
from tfcourse.search.strategies.quasi_random import quasi_random
from tfcourse.search.strategies.random_search import draw
from tfcourse.search.strategies.study import Memo, Records, Strategy, Study, by_quality

__all__ = ["COARSE_TO_FINE", "rounds_on_record"]

# Later rounds have half of the first one's trials, at least LEAST, and about a GROWTH-th of the
# trials before them where that is more.
LEAST, GROWTH = 4, 8
# The points of a box of which a trial takes one, and those of the whole space.
INSIDE, EVERYWHERE = 4, 64


def rounds_on_record(
    study: Study, finished: Records, memo: Memo | None = None
) -> list[dict[str, Any]]:
    """Return each round's first and last trial and its box, as far as they are known.

    Of the rule "posterior" also the trials that are drawn from the whole space, ``everywhere``.

    Args:
        study: The study; of another strategy there are no rounds.
        finished: The records of trials that have ended, by number.
        memo: The boxes of earlier calls for the same study.
    """
    if study.strategy != "coarse_to_fine":
        return []
    # The record may hold more trials than the study has now.
    total = max([study.trials, *(trial + 1 for trial in finished)])
    rounds: list[dict[str, Any]] = []
    memo = Memo() if memo is None else memo
    first = 0
    while first < total:
        number, trials = _round(study, first)
        box = _box(study, number, trials.start, finished, memo)
        if box is None:
            break
        last = min(trials.stop, total) - 1
        entry = {"first_trial": first, "last_trial": last, "box": as_record(box)}
        if number and _has_evidence(study):
            entry["everywhere"] = [t for t in range(first, last + 1) if is_outside(t)]
        rounds.append(entry)
        first = trials.stop
    return rounds


def _has_evidence(study: Study) -> bool:
    return bool(study.settings.rule == "posterior")


def _round(study: Study, trial: int) -> tuple[int, range]:
    """Return the number of a trial's round, from 0, and the round's trials.

    A round has ``trials_per_round`` trials, whatever the number of trials asked for: more of them
    leave those before as they were. By the rule "posterior" later rounds have half of that, but not
    less than 4, unless ``rounds`` is "equal", and grow with the trials before them, to an eighth,
    so that the fits take little time of long searches.
    """
    size = study.settings.trials_per_round
    if not _has_evidence(study):
        number = trial // size
        return number, range(number * size, (number + 1) * size)
    later = size if study.settings.rounds == "equal" else min(size, max(size // 2, LEAST))
    number, first, end = 0, 0, size
    while trial >= end:
        number, first = number + 1, end
        end += later * max(1, first // (GROWTH * later))
    return number, range(first, end)


def _box(study: Study, number: int, first: int, finished: Records, memo: Memo) -> Box | None:
    """Return the box of round ``number``; None while a trial before its first one is missing."""
    if number not in memo.boxes:
        if any(trial not in finished for trial in reversed(range(first))):  # the last are missing
            return None
        before = {trial: finished[trial] for trial in range(first)}
        settings = study.settings
        if _has_evidence(study):
            memo.boxes[number] = posterior_box(
                study.space,
                _evidence(study, number, before, memo) if number else None,
                study.seed,
                number,
                coverage=settings.coverage,
                shrink=settings.shrink,
                floor=settings.floor,
            )
        else:
            ranked, failed = by_quality(before, study.direction)
            memo.boxes[number] = halving_box(
                study.space,
                [record.values for record in ranked],
                [record.values for record in failed],
                number,
                keep=settings.keep,
                shrink=settings.shrink,
                floor=settings.floor,
            )
    box: Box = memo.boxes[number]
    return box


def _values(study: Study, trial: int, finished: Records, memo: Memo) -> dict[str, Any]:
    """Return values from the box of the trial's round."""

    def box_of(number: int) -> Any:
        place, trials = _round(study, number)
        if place and _has_evidence(study) and is_outside(number):
            return study.space
        return _box(study, place, trials.start, finished, memo)

    def point(box: Mapping[str, Any], seed: int, number: int) -> dict[str, Any]:
        place, trials = _round(study, number)
        if study.settings.rounds == "equal" and is_outside(number):
            return quasi_random(box, seed, number)
        before = {trial: finished[trial] for trial in range(trials.start)}
        evidence = _evidence(study, place, before, memo) if place else None
        if evidence is None:
            return quasi_random(box, seed, number)
        return _screened(box, seed, number, evidence)

    if _has_evidence(study):
        return draw(study, trial, finished, memo, box_of, point)
    return draw(study, trial, finished, memo, box_of)


def _screened(box: Mapping[str, Any], seed: int, number: int, evidence: Evidence) -> dict[str, Any]:
    """Return one of several quasi-random points of a trial's box.

    In a box the one with the smallest expected loss: a box knows nothing of how parameters depend
    on each other; the process does. Of the whole space the one with the largest expected
    improvement, so that the trial looks where the process knows little.
    """
    outside = is_outside(number)
    count = EVERYWHERE if outside else INSIDE
    points = [quasi_random(box, seed, count * number + k) for k in range(count)]
    coordinates, process = evidence.coordinates, evidence.process
    mean, deviation = process.predict(coordinates.points(coordinates.units(points)))
    if not outside:
        return points[int(np.argmin(mean))]
    means, _ = process.predict(process.points)
    return points[int(np.argmax(log_expected_improvement(mean, deviation, float(means.min()))))]


def _evidence(study: Study, number: int, before: Records, memo: Memo) -> Evidence | None:
    """Return what the trials before round ``number`` say."""
    if number not in memo.evidence:
        memo.evidence[number] = weigh(study.space, observations_of(before, study.direction))
    evidence: Evidence | None = memo.evidence[number]
    return evidence


def _dependencies(study: Study, trial: int) -> range:
    """Return the trials of all earlier rounds."""
    _, trials = _round(study, trial)
    return range(trials.start)


COARSE_TO_FINE = Strategy(_values, _dependencies)
