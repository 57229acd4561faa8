"""The trials of a search with several objectives that no other trial is better than."""

from collections.abc import Iterable, Sequence

from tfcourse.formulas.pareto import non_dominated
from tfcourse.search.records.objective import Objective
from tfcourse.search.records.trial_record import TrialRecord, rank

__all__ = ["leaders", "pareto_set", "values_of"]


def values_of(record: TrialRecord, objectives: Sequence[Objective]) -> list[float | None]:
    """Return a trial's value of each objective, of which the first one is its score."""
    return [record.score, *(record.value_of(objective) for objective in objectives[1:])]


def pareto_set(
    records: Iterable[TrialRecord], objectives: Sequence[Objective]
) -> list[TrialRecord]:
    """Return the completed trials that none dominates, best first as `rank` orders them.

    A value that is not finite or not known is worse than all others.
    """
    ranking = rank(records, objectives[0].direction, objectives[1:])
    if not ranking:
        return []
    losses = [
        [o.loss(value) for o, value in zip(objectives, values_of(record, objectives), strict=True)]
        for record in ranking
    ]
    return [record for record, is_in in zip(ranking, non_dominated(losses), strict=True) if is_in]


def leaders(records: Iterable[TrialRecord], objectives: Sequence[Objective]) -> list[TrialRecord]:
    """Return the trials whose models a search keeps, the best one first.

    They are the Pareto set, and with one objective the best trial alone.
    """
    if len(objectives) == 1:
        return rank(records, objectives[0].direction)[:1]
    return pareto_set(records, objectives)
