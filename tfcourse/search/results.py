"""The run directory: a search's record, readable without tfcourse."""

import contextlib
import csv
import io
import json
import math
import shutil
import zipfile
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
    ``results.csv``, ``history.csv``, ``best.keras``, ``summary.json`` and, of a search from coarse
    to fine, ``rounds.json``. The trials' files are the record; the tables are made from them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.versions = path / "versions.json"
        self.trials = path / "trials"
        self.results = path / "results.csv"
        self.history = path / "history.csv"
        self.models = path / "models"
        self.best = path / "best.keras"
        self.summary = path / "summary.json"
        self.rounds = path / "rounds.json"
        self.claims = path / "claims.json"

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

    def read_trial(self, trial: int) -> TrialRecord | None:
        """A finished trial; None if it isn't finished, or its file can't be read."""
        try:
            text = (self.trials / f"{trial:04d}.json").read_text(encoding="utf-8")
            return TrialRecord(**json.loads(text))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def read_trials(self) -> dict[int, TrialRecord]:
        """The finished trials by number. A file that can't be read counts as not finished."""
        stems = (path.stem for path in self.trials.glob("*.json"))
        numbers = sorted(int(stem) for stem in stems if stem.isdecimal())
        read = {number: self.read_trial(number) for number in numbers}
        return {number: record for number, record in read.items() if record is not None}

    def forget_trial(self, trial: int) -> None:
        """Takes a trial off the record, to be run again."""
        (self.trials / f"{trial:04d}.json").unlink(missing_ok=True)

    def forget_running(self) -> None:
        """Removes what only a running search needs."""
        self.claims.unlink(missing_ok=True)
        for model in self.models.glob("*.keras"):
            model.unlink()
        with contextlib.suppress(OSError):  # it is not there, or holds something else
            self.models.rmdir()

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

    def write_model(self, model: Any, trial: int) -> None:
        """Saves the model of a trial, which may become the best one."""

        def save(path: Path) -> None:
            model.save(path)
            with zipfile.ZipFile(path, "a") as file:  # so that the file itself says whose it is
                file.comment = f"trial {trial}".encode()

        self.models.mkdir(exist_ok=True)
        replace_atomically(self.model_of(trial), save)

    def model_of(self, trial: int) -> Path:
        """Where the model of a trial is until the trial has ended."""
        return self.models / f"{trial:04d}.keras"

    def keep_model(self, trial: int, best: bool) -> None:
        """Makes the model of a trial that has ended the best one, or deletes it."""
        model = self.model_of(trial)
        if best and _trial_of(model) == trial:
            model.replace(self.best)
        else:
            model.unlink(missing_ok=True)

    def best_trial(self) -> int | None:
        """The trial of the best model; None if there is no model, or it is damaged."""
        return _trial_of(self.best)

    def has_model(self, trial: int) -> bool:
        """Whether the model of a trial is there: as the best one, or about to become it."""
        return trial in (self.best_trial(), _trial_of(self.model_of(trial)))

    def write_summary(self, summary: Summary) -> None:
        """Records the best trial and its test score."""
        write_atomically(self.summary, json.dumps(asdict(summary), indent=2) + "\n")

    def read_summary(self) -> Summary | None:
        """The summary, or None if there is none that can be read."""
        try:
            return Summary(**json.loads(self.summary.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def _trial_of(model: Path) -> int | None:
    """The trial that a saved model is of; None if it can't be read."""
    try:
        with zipfile.ZipFile(model) as file:
            return int(file.comment.removeprefix(b"trial "))
    except (OSError, ValueError, zipfile.BadZipFile):
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
