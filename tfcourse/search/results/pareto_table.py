"""The Pareto set of a search as a table, and as entries of JSON."""

from collections.abc import Sequence
from typing import Any

from tfcourse.search.records.objective import Objective
from tfcourse.search.records.pareto import values_of
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.layout import FirstThatFits
from tfcourse.search.results.tables import (
    LONGEST_VALUE,
    format_score,
    format_value,
    upright_or_transposed,
)

__all__ = ["entry_of", "format_objective", "pareto_tables"]

# The most trials of the table; --json and exports have all of them.
MAX_SHOWN = 12


def pareto_tables(
    records: Sequence[TrialRecord], objectives: Sequence[Objective]
) -> list[FirstThatFits]:
    """Return the table of the Pareto set; none if it is empty.

    Args:
        records: Its trials, best first.
        objectives: The objectives.
    """
    if not records:
        return []
    names = list(dict.fromkeys(name for record in records for name in record.values))
    named = [f"{format_value(each.name, LONGEST_VALUE)} ({each.direction})" for each in objectives]
    rows = [["trial", *named, *(format_value(name, LONGEST_VALUE) for name in names)]]
    for record in records[:MAX_SHOWN]:
        cells = map(format_objective, values_of(record, objectives))
        values = [format_value(record.values.get(name), LONGEST_VALUE) for name in names]
        rows.append([str(record.trial), *cells, *values])

    def title_of(count: int) -> str:
        return (
            "The Pareto set"
            if count == len(records)
            else f"{count} of {len(records)} trials of the Pareto set"
        )

    return [upright_or_transposed(rows, title_of)]


def entry_of(record: TrialRecord, objectives: Sequence[Objective]) -> dict[str, Any]:
    """Return a trial's number and its value of each objective."""
    names = [objective.name for objective in objectives]
    return {"trial": record.trial, **dict(zip(names, values_of(record, objectives), strict=True))}


def format_objective(value: float | None) -> str:
    """Return a value of an objective for people; a number of parameters is whole."""
    return str(value) if isinstance(value, int) else format_score(value)
