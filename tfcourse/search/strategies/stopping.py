"""The end of a search before its last trial: by its scores, or by its time.

``target`` and ``patience`` are about the trials in the order of their numbers, as one worker runs
them: the search ends with the smallest n for which the trials 0 to n-1 meet a limit. Trials of
larger numbers that other workers ran meanwhile stay on record and do not count, so that the best
trial is the same for any number of workers. ``max_seconds`` depends on the machine: with it two
searches may end after different trials.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.strategies.study import Records

__all__ = [
    "EarlierRuns",
    "Limits",
    "Stop",
    "find_stop",
    "latest_end",
    "limits_in_words",
    "mark_after",
    "seconds_on_record",
    "trials_that_count",
]

MARK = "Does not count: the search ended before this trial (target or patience)."


@dataclass(frozen=True)
class Limits:
    """The limits of a search; None for those that it does not have.

    Attributes:
        target: The objective that ends it: a score <= target for "min", >= target for "max".
        patience: The number of trials without a better one that ends it.
        min_delta: The amount by which a score must be better to count for ``patience``.
        max_seconds: The seconds after which no trial begins.
    """

    target: float | None = None
    patience: int | None = None
    min_delta: float = 0.0
    max_seconds: float | None = None

    @property
    def by_score(self) -> bool:
        """True if there is a target or a patience."""
        return self.target is not None or self.patience is not None


@dataclass(frozen=True)
class EarlierRuns:
    """The part of a search that earlier runs have done.

    Attributes:
        seconds: The seconds that they took.
        least: The number of trials that counted when the search last ended: those count
            under tighter limits too. 0 for a search that has not ended yet.
    """

    seconds: float = 0.0
    least: int = 0


@dataclass(frozen=True)
class Stop:
    """The end of a search by a limit.

    Attributes:
        reason: The limit.
        text: The limit and the trial in words.
        end: The first trial that does not count; None if all trials on record count.
    """

    reason: Literal["target", "patience", "max_seconds"]
    text: str
    end: int | None = None


NO_LIMITS, NO_RUNS = Limits(), EarlierRuns()


def find_stop(
    limits: Limits, direction: str, records: Records, trials: int, earlier: EarlierRuns = NO_RUNS
) -> Stop | None:
    """Return the limit that has ended a search; None while none has, and after its last trial.

    Args:
        limits: The limits.
        direction: ``"max"`` or ``"min"``.
        records: The trials on record. Without one ``max_seconds`` ends nothing.
        trials: The number of trials asked for.
        earlier: The seconds so far, and the trials that count in any case.
    """
    stop = _by_score(limits, direction, records, trials, earlier.least)
    if stop is not None and all(number in records for number in range(stop.end or 0)):
        return stop
    if limits.max_seconds is None or earlier.seconds < limits.max_seconds:
        return None
    ended = sum(number < trials for number in records)
    if ended in (0, trials):
        return None
    text = f"max_seconds {limits.max_seconds:g} reached after {ended} of {trials} trials"
    return Stop("max_seconds", text)


def latest_end(
    limits: Limits, direction: str, records: Records, trials: int, least: int = 0
) -> int:
    """Return the number of trials from 0 that can still count; the others need not begin.

    A trial that has not ended may be a better one. It is exact once all trials below it have
    ended, and only then does it end a search.

    Args:
        limits: As for `find_stop`.
        direction: As for `find_stop`.
        records: As for `find_stop`.
        trials: As for `find_stop`.
        least: The number of trials that count in any case.
    """
    stop = _by_score(limits, direction, records, trials, least)
    return trials if stop is None or stop.end is None else stop.end


def trials_that_count(records: Records, stop: Stop | None) -> dict[int, TrialRecord]:
    """Return the records of the trials that count."""
    end = math.inf if stop is None or stop.end is None else stop.end
    return {number: record for number, record in records.items() if number < end}


def mark_after(records: Iterable[TrialRecord], stop: Stop | None) -> list[TrialRecord]:
    """Return the records; those of trials that do not count say so in their message."""
    end = math.inf if stop is None or stop.end is None else stop.end
    return [
        replace(r, message=f"{MARK} {r.message}".strip()) if r.trial >= end else r for r in records
    ]


def seconds_on_record(records: Records) -> float:
    """Return the seconds that the runs of a search took, as far as their trials are on record.

    One process runs a trial after the other, and w1, w2... run at the same time: the seconds of
    the one process "main" are added to those of the worker with the most.
    """
    seconds: dict[str, float] = {}
    for record in records.values():
        seconds[record.worker] = seconds.get(record.worker, 0.0) + record.seconds
    return seconds.pop("main", 0.0) + max(seconds.values(), default=0.0)


def limits_in_words(limits: Limits, direction: str, records: Records) -> list[str]:
    """Return the limits for a progress bar; of the patience also the part that is used up."""
    words = []
    if limits.target is not None:
        words.append(f"target {limits.target:g}")
    if limits.patience is not None:
        course, number = _Course(), 0
        while (record := records.get(number)) is not None:
            course, number = _after(course, record, direction, limits.min_delta), number + 1
        words.append(f"patience {course.wait} of {limits.patience}")
    if limits.max_seconds is not None:
        words.append(f"max {limits.max_seconds:g} s")
    return words


@dataclass(frozen=True)
class _Course:
    """The trials up to a number: the best value (larger is better), its trial, those since it."""

    best: float = -math.inf
    trial: int | None = None
    wait: int = 0


def _after(course: _Course, record: TrialRecord, direction: str, min_delta: float) -> _Course:
    """Return the course after one more trial, by the rule of Keras's ``EarlyStopping``."""
    value = _value(record, direction)
    if value - min_delta > course.best:
        return _Course(value, record.trial)
    return replace(course, wait=course.wait + 1)


def _value(record: TrialRecord, direction: str) -> float:
    """Return the score of a trial, with the sign by which larger is better; -inf without one."""
    if record.status != "completed" or record.score is None or not math.isfinite(record.score):
        return -math.inf
    return record.score if direction == "max" else -record.score


def _by_score(
    limits: Limits, direction: str, records: Mapping[int, TrialRecord], trials: int, least: int
) -> Stop | None:
    """Return the stop by target or patience, as if no missing trial reached the target."""
    if not limits.by_score:
        return None
    course, reached = _Course(), None
    goal = None if limits.target is None else limits.target * (1 if direction == "max" else -1)
    # After the last trial on record nothing more is known: a search may have a million trials.
    known = max(records, default=-1) + 1
    for number in range(min(trials, max(known, least))):
        record = records.get(number)
        if record is None:
            course = replace(course, wait=0)
        else:
            course = _after(course, record, direction, limits.min_delta)
            if reached is None and goal is not None and _value(record, direction) >= goal:
                reached = number
        end = number + 1
        if end < least:
            continue
        if reached is not None:
            text = f"target {limits.target:g} reached by trial {reached} of {trials}"
            return Stop("target", text, end)
        # As in Keras, the first trial alone ends nothing.
        if limits.patience is not None and number > 0 and course.wait >= limits.patience:
            since = (
                "none completed"
                if course.trial is None
                else f"none better since trial {course.trial}"
            )
            text = f"patience {limits.patience} reached by trial {number} of {trials}, {since}"
            return Stop("patience", text, end)
    return None
