"""The candidates of a selection: trials with their metrics, and the limit that rules each out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.strategy.measures import MEASURES, ModelMeasures

__all__ = ["Candidate", "Direction", "Limit", "candidate_of", "metric_text", "rank_key"]

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Limit:
    """A satisficing metric and its threshold.

    Attributes:
        name: The metric.
        threshold: The largest value of a metric of which less is better, else the least.
        direction: The better direction.
    """

    name: str
    threshold: float
    direction: Direction

    def holds(self, value: float | None) -> bool:
        """Return whether a value satisfies the limit; None and NaN do not."""
        if value is None or math.isnan(value):
            return False
        return value <= self.threshold if self.direction == "min" else value >= self.threshold

    def __str__(self) -> str:
        return f"{self.name} {'<=' if self.direction == 'min' else '>='} {self.threshold:g}"


@dataclass(frozen=True)
class Candidate:
    """A completed trial of the search.

    Attributes:
        record: The trial's record.
        values: The value of each metric; one that is not needed, as an earlier limit has ruled the
            trial out, is not there.
        ruled_out_by: The limit that rules it out; None if it satisfies all.
    """

    record: TrialRecord
    values: Mapping[str, float | None]
    ruled_out_by: Limit | None


def candidate_of(
    record: TrialRecord,
    optimizing: str,
    limits: Sequence[Limit],
    measures: ModelMeasures | None,
) -> Candidate:
    """Return a trial with its metrics up to the first limit that it breaks.

    Args:
        record: The trial.
        optimizing: The optimizing metric.
        limits: The limits in the order in which they are tried.
        measures: The measures of models; None if no metric needs them.
    """
    values: dict[str, float | None] = {}
    for limit in limits:
        values[limit.name] = _value(limit.name, record, measures)
        if not limit.holds(values[limit.name]):
            if optimizing not in MEASURES:
                values[optimizing] = _value(optimizing, record, measures)
            return Candidate(record, values, limit)
    values[optimizing] = _value(optimizing, record, measures)
    return Candidate(record, values, None)


def _value(name: str, record: TrialRecord, measures: ModelMeasures | None) -> float | None:
    """Return a metric of a trial; None if it is not finite or not on record."""
    if name in MEASURES and measures is not None:
        return measures.measure(name, record)
    return record.metrics_at_score.get(name)


def rank_key(value: float | None, direction: Direction) -> float:
    """Return a number that is the smaller the better a value is; None and NaN are the worst."""
    if value is None or math.isnan(value):
        return math.inf
    return -value if direction == "max" else value


def metric_text(name: str, values: Mapping[str, float | None]) -> str:
    """Return a metric among the values for people; nothing if it is not there."""
    if name not in values:
        return ""
    value = values[name]
    if value is None:
        return "none"
    return f"{value:.0f}" if name == "parameters" else f"{value:.4g}"
