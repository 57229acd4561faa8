"""Records of trials: one, their order, and the tables made from them."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tfcourse.errors import encodable

__all__ = ["TrialRecord", "as_csv", "parse_record", "rank", "tables", "without_nan"]


@dataclass(frozen=True)
class TrialRecord:
    """One finished trial.

    Attributes:
        trial: Its number, from 0.
        status: ``"completed"``, or ``"failed"`` (an error, or a loss that is not finite).
        values: Its hyperparameters.
        score: The objective at its best epoch; None if it failed.
        best_epoch: The epoch of that score, from 1.
        seconds: Wall time.
        worker: Who ran it.
        message: Why it failed.
        history: Every metric of every epoch.
        traceback: The whole error, if it failed with one.
        score_std: The standard deviation of ``scores``.
        scores: Of each training, if the trial has several (folds, repeats): ``score`` and
            ``history`` are then means, see `tfcourse.search.trials.scoring.combine`.
    """

    trial: int
    status: Literal["completed", "failed"]
    values: Mapping[str, Any]
    score: float | None = None
    best_epoch: int | None = None
    seconds: float = 0.0
    worker: str = "main"
    message: str = ""
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    traceback: str = ""
    score_std: float | None = None
    scores: Sequence[float] = ()


class _Stored(BaseModel):
    """What the file of a trial holds: every type is checked, as a file can hold anything."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
    trial: int
    status: Literal["completed", "failed"]
    values: dict[str, bool | int | float | str]
    score: float | None = None
    best_epoch: Annotated[int, Field(ge=1)] | None = None
    seconds: float = 0.0
    worker: str = "main"
    message: str = ""
    history: dict[str, list[float | None]] = {}
    traceback: str = ""
    score_std: float | None = None
    scores: list[float | None] = []
    search: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> "_Stored":
        if self.status == "completed" and self.score is None:
            raise ValueError("a completed trial has a score")
        if len({len(values) for values in self.history.values()}) > 1:
            raise ValueError("all metrics have the same epochs")
        return self


def parse_record(raw: Any, trial: int) -> TrialRecord | None:
    """Return the record that the file of a trial holds; None if it is another's or damaged."""
    try:
        if _Stored.model_validate(raw).trial != trial:
            return None
    except ValidationError:
        return None
    return TrialRecord(**{key: value for key, value in raw.items() if key != "search"})


def rank(records: Iterable[TrialRecord], direction: str) -> list[TrialRecord]:
    """The completed trials, best first; of equal ones the earlier first."""
    sign = -1 if direction == "max" else 1
    completed = [r for r in records if r.status == "completed" and r.score is not None]
    return sorted(completed, key=lambda r: (sign * (r.score or 0.0), r.trial))


def tables(records: Iterable[TrialRecord], names: Sequence[str]) -> tuple[str, str]:
    """The texts of ``results.csv``, a row a trial, and ``history.csv``, a row a trial and epoch.

    Args:
        records: The trials, in the tables' order.
        names: The hyperparameters' columns.
    """
    # As the trials' files have them: the tables of a resumed search are the same.
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
    """A table as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return encodable(text.getvalue())


def without_nan(value: Any) -> Any:
    """JSON has no NaN or infinity: they become null."""
    if isinstance(value, Mapping):
        return {key: without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
