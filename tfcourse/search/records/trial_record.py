"""The record of a trial, the ranking of records, and the tables made from them."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from tfcourse.errors import encodable
from tfcourse.search.records.objective import COSTS, Objective
from tfcourse.types import Hyperparameters

__all__ = ["TrialRecord", "as_csv", "csv_tables", "parse_record", "rank", "without_nan"]


@dataclass(frozen=True)
class TrialRecord:
    """One finished trial.

    Attributes:
        trial: Its number, from 0.
        status: ``"completed"``; ``"infeasible"`` if it completed and breaks a limit of the search,
            see `tfcourse.search.records.satisficing`; ``"pruned"`` if it ended early because it
            was behind others, see `tfcourse.search.strategies.pruning`; or ``"failed"`` after an
            error or with a loss that is not finite.
        values: Its hyperparameters.
        score: The objective at the epochs that count, see `tfcourse.search.records.score_at`: by
            default at its best epoch; None if it failed.
        best_epoch: The epoch whose weights its model has, from 1: that of the score, or the last
            one if the score is that of the last epochs.
        seconds: Wall time.
        worker: The name of the process that ran it.
        message: The reason if it failed, was pruned or is infeasible.
        history: The values of each metric by epoch; those on record are None if not finite.
        traceback: The traceback if it failed with an error.
        score_std: The standard deviation of ``scores``.
        scores: The score of each training that has ended if the trial has several (folds,
            repeats); ``score`` and ``history`` are then means, see
            `tfcourse.search.trials.scoring.combine`.
        epochs_saved: The epochs that it did not train because it was pruned.
        curves: The objective by epoch of each of several trainings, in a search with pruning.
        expected_score: The estimated mean of the scores of all its trainings, if it was pruned
            before the last one, see `tfcourse.search.strategies.pruning.TrialLimits`.
        parameters: The number of parameters of its model, as Keras's ``count_params``; None if it
            failed, or in a record of an earlier version.
        averaged_epochs: The number of epochs up to ``best_epoch`` of which the score is the mean.
        metrics: The mean of each metric at the epochs of the scores of several trainings; empty of
            one training, whose history has them, and in a record of an earlier version.
        milliseconds: The time of a prediction for one example, see
            `tfcourse.search.trials.latency.latency`; None in a search that does not need it.
        is_slow: True if it breaks limits on times alone, of which strategies know nothing: the
            values of the trials stay the same in every run.
    """

    trial: int
    status: Literal["completed", "infeasible", "pruned", "failed"]
    values: Hyperparameters
    score: float | None = None
    best_epoch: Annotated[int, Field(ge=1)] | None = None
    seconds: float = 0.0
    worker: str = "main"
    message: str = ""
    history: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    traceback: str = ""
    score_std: float | None = None
    scores: Sequence[float] = ()
    epochs_saved: Annotated[int, Field(ge=0)] = 0
    curves: Sequence[Sequence[float | None]] = ()
    expected_score: float | None = None
    parameters: Annotated[int, Field(ge=0)] | None = None
    averaged_epochs: Annotated[int, Field(ge=1)] = 1
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    milliseconds: float | None = None
    is_slow: bool = False

    @property
    def comparable_status(self) -> str:
        """The status that strategies learn from: a trial that is only slow has completed."""
        return "completed" if self.is_slow else self.status

    @property
    def comparable_score(self) -> float | None:
        """The score that strategies learn from: ``expected_score`` if there is one.

        It is None of a trial that breaks a limit, unless it is only slow: to them it has failed.
        """
        if self.comparable_status == "infeasible":
            return None
        return self.score if self.expected_score is None else self.expected_score

    @property
    def metrics_at_score(self) -> dict[str, float | None]:
        """Each metric at the epochs of the score; None where it is not finite.

        Of several trainings it is the mean; in a record of an earlier version without ``metrics``,
        the mean of the epochs' histories at ``best_epoch``.
        """
        if self.metrics or self.best_epoch is None:
            return dict(self.metrics)
        start = self.best_epoch - self.averaged_epochs
        parts = {name: curve[start : self.best_epoch] for name, curve in self.history.items()}
        return {name: _mean(part) for name, part in parts.items() if part}

    def value_of(self, objective: Objective) -> float | None:
        """Return the value of an objective: a cost, or a metric at the epochs of the score."""
        if objective.name in COSTS:
            cost: float | None = getattr(self, objective.name)
            return cost
        return self.metrics_at_score.get(objective.name)

    @property
    def epochs_trained(self) -> int:
        """The epochs of its trainings; of several only those of the longest without ``curves``."""
        histories = self.curves or self.history.values()
        lengths = [len(values) for values in histories]
        return sum(lengths) if self.curves else max(lengths, default=0)


def _mean(values: Sequence[float | None]) -> float | None:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return math.fsum(finite) / len(finite) if len(finite) == len(values) else None


@dataclass(frozen=True)
class _StoredRecord(TrialRecord):
    """The contents of a trial's file, whose types pydantic checks."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    search: str | None = None


_STORED = TypeAdapter(_StoredRecord)


def parse_record(text: str | None, trial: int) -> TrialRecord | None:
    """Return the record from a trial's file; None if it is damaged or another trial's.

    Args:
        text: The text of the file, which is JSON; None if there is none.
        trial: The trial's number.
    """
    try:
        stored = _STORED.validate_json(text or "")
    except ValidationError:
        return None
    lengths = {len(values) for values in stored.history.values()}
    lacks_score = stored.status != "failed" and stored.score is None
    if stored.trial != trial or lacks_score or len(lengths) > 1:
        return None
    return TrialRecord(**{name: value for name, value in vars(stored).items() if name != "search"})


def rank(
    records: Iterable[TrialRecord], direction: str, others: Sequence[Objective] = ()
) -> list[TrialRecord]:
    """Return the completed trials, best first.

    Args:
        records: The trials.
        direction: The better direction of the score, ``"max"`` or ``"min"``.
        others: Further objectives, which order trials of equal scores; of equal trials the earlier
            one is first.
    """
    sign = -1 if direction == "max" else 1
    completed = [r for r in records if r.status == "completed" and r.score is not None]

    def key(record: TrialRecord) -> tuple[float, ...]:
        losses = [objective.loss(record.value_of(objective)) for objective in others]
        return (sign * (record.score or 0.0), *losses, record.trial)

    return sorted(completed, key=key)


def csv_tables(records: Iterable[TrialRecord], names: Sequence[str]) -> tuple[str, str]:
    """Return ``results.csv``, a row for each trial, and ``history.csv``, one for each epoch too.

    Args:
        records: The trials, in the tables' order.
        names: The hyperparameters' columns.
    """
    # As in the trials' files, so that the tables of a resumed search are the same.
    records = [replace(r, history=without_nan(r.history)) for r in records]
    fixed = ["trial", "status", "score", "best_epoch", "seconds", "worker", "message"]
    fixed += ["score_std"] * any(r.score_std is not None for r in records)
    rows = [
        [*(getattr(r, column) for column in fixed), *(r.values.get(n) for n in names)]
        for r in records
    ]
    results = as_csv([*fixed, *names], rows)
    metrics = list(dict.fromkeys(m for r in records for m in r.history))
    rows = [
        [
            r.trial,
            epoch + 1,
            *(r.history[m][epoch] if m in r.history else None for m in metrics),
        ]
        for r in records
        for epoch in range(max(map(len, r.history.values()), default=0))
    ]
    return results, as_csv(["trial", "epoch", *metrics], rows)


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return encodable(text.getvalue())


def without_nan(value: object) -> Any:
    """Return a value with None for NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
