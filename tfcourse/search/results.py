"""The run directory: a search's record, readable without tfcourse."""

import csv
import io
import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tfcourse.files import replace_atomically, write_atomically

__all__ = ["RunDirectory", "Summary", "TrialRecord", "rank"]


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


@dataclass(frozen=True)
class Summary:
    """The best trial, its score on the dev set, and its one measurement on the test set."""

    trial: int
    objective: str
    score: float
    test: Mapping[str, float]


def rank(records: Iterable[TrialRecord], direction: str) -> list[TrialRecord]:
    """The completed trials, best first; of equal ones the earlier first."""
    sign = -1 if direction == "max" else 1
    completed = [r for r in records if r.status == "completed" and r.score is not None]
    return sorted(completed, key=lambda r: (sign * (r.score or 0.0), r.trial))


class RunDirectory:
    """The files of one search under ``path``; every write is atomic.

    ``config.toml`` (as run), ``versions.json``, ``trials/0007.json`` (a `TrialRecord` each),
    ``results.csv``, ``history.csv``, ``best.keras``, ``summary.json``, of a search from coarse to
    fine ``rounds.json``, and with ``checkpoints = "all"`` ``models/0007.keras``. The trials' files
    are the record; the tables are made from them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.versions = path / "versions.json"
        self.trials = path / "trials"
        self.results = path / "results.csv"
        self.history = path / "history.csv"
        self.best = path / "best.keras"
        self.models = path / "models"
        self.summary = path / "summary.json"
        self.rounds = path / "rounds.json"

    def exists(self) -> bool:
        """Whether it is one: a folder with all that `create` makes."""
        return self.config.is_file() and self.versions.is_file() and self.trials.is_dir()

    def delete(self) -> None:
        """Deletes it; a folder that is not a run directory stays."""
        if self.exists():
            shutil.rmtree(self.path)

    def create(self, config: str, versions: Mapping[str, str]) -> None:
        """Makes the folder and writes what was asked for, and with which versions."""
        self.trials.mkdir(parents=True, exist_ok=True)
        write_atomically(self.versions, json.dumps(versions, indent=2) + "\n")
        write_atomically(self.config, config)

    def write_trial(self, record: TrialRecord) -> None:
        """Adds a finished trial to the record."""
        text = json.dumps(_without_nan(asdict(record)), indent=2) + "\n"
        write_atomically(self.trials / f"{record.trial:04d}.json", text)

    def read_trials(self) -> dict[int, TrialRecord]:
        """The finished trials by number. A file that can't be read counts as not finished."""
        records = {}
        for path in sorted(self.trials.glob("[0-9]*.json")):
            try:
                record = TrialRecord(**json.loads(path.read_text(encoding="utf-8")))
            except (ValueError, TypeError):
                continue
            records[record.trial] = record
        return dict(sorted(records.items()))

    def write_tables(self, records: Iterable[TrialRecord], names: Sequence[str]) -> None:
        """``results.csv``, a row a trial, and ``history.csv``, a row a trial and epoch."""
        # As the trials' files have them: the tables of a resumed search are the same.
        records = [replace(r, history=_without_nan(r.history)) for r in records]
        fixed = ("trial", "status", "score", "best_epoch", "seconds", "worker", "message")
        rows = [
            [*(getattr(r, column) for column in fixed), *(r.values.get(n) for n in names)]
            for r in records
        ]
        write_atomically(self.results, _csv([*fixed, *names], rows))
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
        write_atomically(self.history, _csv(["trial", "epoch", *metrics], rows))

    def write_rounds(self, rounds: Sequence[Mapping[str, Any]]) -> None:
        """``rounds.json``: each round's trials and the box that they were drawn from."""
        write_atomically(self.rounds, json.dumps(rounds, indent=2) + "\n")

    def read_rounds(self) -> list[dict[str, Any]]:
        """The rounds; none if the search has none, or they can't be read."""
        try:
            return list(json.loads(self.rounds.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return []

    def write_model(self, trial: int, model: Any) -> None:
        """Keeps a trial's model, with the weights of its best epoch."""
        self.models.mkdir(exist_ok=True)
        replace_atomically(self.models / f"{trial:04d}.keras", model.save)

    def write_best(self, model: Any) -> None:
        """Saves the best model so far."""
        replace_atomically(self.best, model.save)

    def write_summary(self, summary: Summary) -> None:
        """Records the best trial and its test score."""
        write_atomically(self.summary, json.dumps(asdict(summary), indent=2) + "\n")

    def read_summary(self) -> Summary | None:
        """The summary, or None if there is none that can be read."""
        try:
            return Summary(**json.loads(self.summary.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _without_nan(value: Any) -> Any:
    """JSON has no NaN or infinity: they become null."""
    if isinstance(value, Mapping):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
