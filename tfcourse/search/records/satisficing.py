"""Satisficing limits (course 6.1): a trial that breaks one is never the best.

One metric is optimized, the objective; others, and the size of the model, need only be within
their limits.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tfcourse.search.records.objective import COSTS, TIMES
from tfcourse.search.records.trial_record import TrialRecord

__all__ = ["Bound", "broken", "judge", "judge_all", "lacks_costs"]

# The statuses of trials that ended as planned.
ENDED = ("completed", "infeasible")


@dataclass(frozen=True)
class Bound:
    """A limit of ``[search.limits]``: ``least <= value <= most``.

    Attributes:
        name: A cost, see `tfcourse.search.records.objective.COSTS`, or a metric's name in a
            history.
        least: The least value within the limit; None for no such end.
        most: The largest one; None for no such end.
    """

    name: str
    least: float | None = None
    most: float | None = None

    def verdict(self, value: float | None) -> str | None:
        """Return how a value breaks the limit, such as ``"val_recall 0.9 < 0.95"``, or None."""
        if value is None or not math.isfinite(value):
            return f"{self.name} is not a finite number"
        if self.least is not None and value < self.least:
            return f"{self.name} {_digits(value)} < {_digits(self.least)}"
        if self.most is not None and value > self.most:
            return f"{self.name} {_digits(value)} > {_digits(self.most)}"
        return None


def broken(record: TrialRecord, bounds: Iterable[Bound]) -> list[str]:
    """Return how a completed trial breaks limits, a text for each that it breaks.

    A metric counts at the epochs of the trial's score, see `TrialRecord.metrics_at_score`. A trial
    whose cost is not on record, as of an earlier version, breaks no limit on it.
    """
    values = record.metrics_at_score
    costs = {name: getattr(record, name) for name in COSTS}
    verdicts = [
        bound.verdict(costs[bound.name] if bound.name in COSTS else values.get(bound.name))
        for bound in bounds
        if bound.name not in COSTS or costs[bound.name] is not None
    ]
    return [verdict for verdict in verdicts if verdict is not None]


def judge(record: TrialRecord, bounds: Sequence[Bound]) -> TrialRecord:
    """Return the record with the status that it has under these limits.

    One that completed is ``"infeasible"`` if it breaks a limit, and says which in its message; one
    that breaks none any more is ``"completed"`` again. Others stay as they are.
    """
    if record.status not in ENDED or not (bounds or record.status == "infeasible"):
        return record
    if verdicts := broken(record, bounds):
        is_slow = not broken(record, [limit for limit in bounds if limit.name not in TIMES])
        message = f"Breaks {'; '.join(verdicts)}."
        return replace(record, status="infeasible", message=message, is_slow=is_slow)
    return replace(record, status="completed", message="", is_slow=False)


def judge_all(
    records: Mapping[int, TrialRecord], bounds: Sequence[Bound]
) -> dict[int, TrialRecord]:
    """Return the records by number with their status under these limits."""
    return {number: judge(record, bounds) for number, record in records.items()}


def lacks_costs(record: TrialRecord, bounds: Iterable[Bound]) -> bool:
    """Return whether a limit is about a cost that the record lacks."""
    names = [limit.name for limit in bounds if limit.name in COSTS]
    return record.status in ENDED and any(getattr(record, name) is None for name in names)


def _digits(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.6g}"
