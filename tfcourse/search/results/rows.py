"""The trials of a search as rows of a table."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from tfcourse.search.results.search_record import SearchRecord, read_record
from tfcourse.types import Hyperparameter

__all__ = ["Row", "common_type", "results", "rows_of"]

Row = dict[str, Hyperparameter | None]

_FIELDS = ("trial", "status", "score", "score_std", "best_epoch", "seconds", "worker", "message")


def results(directory: str | Path) -> list[Row]:
    """Return the trials of a search as rows, for a table of pandas or polars.

    ``pandas.DataFrame(rows)`` and ``polars.DataFrame(rows, infer_schema_length=None)`` read them;
    by default polars looks for types in the first 100 rows alone, where values may be missing.
    All rows have the same columns, each of one type, or None where a trial has no value: a choice
    between values of several types is a column of texts. A hyperparameter with the name of another
    column has ``values.`` before its own. Of several objectives each further one has a column, and
    ``pareto_set`` is True for the trials in it.

    Args:
        directory: The run directory; the search may be unfinished, and neither its data nor
            TensorFlow is needed.

    Raises:
        InputError: It is not a run directory.
    """
    return rows_of(read_record(Path(directory)))


def rows_of(record: SearchRecord) -> list[Row]:
    """Return the rows of `results`."""
    trials = [trial for _, trial in sorted(record.trials.items())]
    columns: dict[str, list[Hyperparameter | None]] = {}
    for name in _FIELDS:
        columns[name] = [asdict(trial)[name] for trial in trials]
    if len(record.objectives) > 1:
        front = {trial.trial for trial in record.pareto_set}
        for objective in record.objectives[1:]:
            if objective.name not in _FIELDS:
                columns[objective.name] = [trial.value_of(objective) for trial in trials]
        columns["pareto_set"] = [trial.trial in front for trial in trials]
    others = {*columns}
    for name in dict.fromkeys([*record.space, *(n for trial in trials for n in trial.values)]):
        column = f"values.{name}" if name in others else name
        columns[column] = [trial.values.get(name) for trial in trials]
    columns = {name: _of_one_type(values) for name, values in columns.items()}
    return [{name: values[row] for name, values in columns.items()} for row in range(len(trials))]


def common_type(values: Iterable[Hyperparameter | None]) -> type[Hyperparameter] | None:
    """Return the type that all values can have: numbers are floats, others texts.

    None if there are no values.
    """
    types = {type(value) for value in values if value is not None}
    if len(types) < 2:
        return next(iter(types), None)
    return float if types == {int, float} else str


def _of_one_type(values: Sequence[Hyperparameter | None]) -> list[Hyperparameter | None]:
    """Return a column whose values have one type."""
    kind = common_type(values)
    return [None if value is None or kind is None else kind(value) for value in values]
