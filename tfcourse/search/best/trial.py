"""A trial of a search, the best one by default, for people and programs to read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfcourse.console import one_line
from tfcourse.errors import InputError
from tfcourse.search.best.script import loading_script, training_script
from tfcourse.search.config.load import load_config
from tfcourse.search.records.trial_record import TrialRecord, without_nan
from tfcourse.search.results.search_record import SearchRecord, read_record
from tfcourse.search.results.tables import epochs_in_words
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.model_file import trial_of_model
from tfcourse.search.store.resume import as_recorded

__all__ = ["TrialView", "model_file", "read_trial", "trial_on_record"]


@dataclass(frozen=True)
class TrialView:
    """A trial of a search with its model and its programs.

    Attributes:
        search: The search's record.
        trial: The trial's record.
        model: The file of its model; None if it is not on disk.
        training: The program that trains it again; None if there is none.
        reason: The reason why there is no such program; empty if there is one.
    """

    search: SearchRecord
    trial: TrialRecord
    model: Path | None
    training: str | None
    reason: str

    @property
    def test(self) -> Mapping[str, float] | None:
        """The metrics on the test set; None if this trial was not measured on it."""
        summary = self.search.summary
        if summary is None:
            return None
        return next((m.test for m in summary.measurements if m.trial == self.trial.trial), None)

    @property
    def loading(self) -> str | None:
        """The program that loads the model; None if it is not on disk."""
        return None if self.model is None else loading_script(self.model)

    def as_json(self) -> dict[str, Any]:
        """Return the trial as JSON has it."""
        trial = self.trial
        entry = {
            "directory": str(self.search.directory),
            "trial": trial.trial,
            "is_best": trial == self.search.best,
            "finished": self.search.result is not None,
            "status": trial.status,
            "message": trial.message,
            "values": dict(trial.values),
            "objective": self.search.objective,
            "direction": self.search.direction,
            "score": trial.score,
            "score_std": trial.score_std,
            "best_epoch": trial.best_epoch,
            "test": None if self.test is None else dict(self.test),
            "model": None if self.model is None else str(self.model),
            "training": self.training,
            "loading": self.loading,
            "problems": [*self.search.problems, *([self.reason] if self.reason else [])],
        }
        return dict(without_nan(entry))

    def text(self) -> str:
        """Return the trial as a Python program: numbers in comments, then training and loading."""
        trial, search = self.trial, self.search
        best = " (the best one so far)" if search.result is None else " (the best one)"
        lines = [f"{'trial':<16}{trial.trial}{best if trial == search.best else ''}"]
        if trial.score is None:
            lines.append(f"{trial.status:<16}{one_line(trial.message)}")
        else:
            spread = "" if trial.score_std is None else f" ± {trial.score_std}"
            pruned = ", pruned" if trial.status == "pruned" else ""
            text = f"{trial.score}{spread} ({epochs_in_words(trial)}{pruned})"
            lines.append(f"{search.objective:<15} {text}")
            if trial.status != "completed":
                lines.append(f"{trial.status:<16}{one_line(trial.message)}")
        if self.test is not None:
            metrics = ", ".join(f"{name} {value}" for name, value in self.test.items())
            lines.append(f"{'test set':<16}{metrics}")
        lines += ["", *(f"{one_line(n):<15} {_as_text(v)}" for n, v in trial.values.items())]
        parts = [_commented(lines)]
        parts.append(_commented([self.reason]) if self.training is None else self.training)
        if self.loading is None:
            line = f"The model of trial {trial.trial} is not on disk."
            if (search.directory / "config.toml").is_file() and trial != search.best:
                line += ' A search with [search] checkpoints = "all" keeps every model.'
            parts.append(_commented([line]))
        else:
            parts.append(f"{_commented(['The trained model, from its file.'])}{self.loading}")
        return "\n".join(parts)


def _as_text(value: object) -> str:
    return one_line(value) if isinstance(value, str) else repr(value)


def _commented(lines: list[str]) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def read_trial(directory: Path, number: int | None = None) -> TrialView:
    """Return a trial of a search from its run directory, without importing TensorFlow.

    Args:
        directory: The run directory.
        number: The trial's number; None for the best trial.

    Raises:
        InputError: It is not a run directory, no trial is the best, or there is no such trial.
    """
    search = read_record(directory)
    trial = trial_on_record(search, number)
    training, reason = _training(search, trial)
    return TrialView(search, trial, model_file(directory, trial.trial), training, reason)


def trial_on_record(search: SearchRecord, number: int | None) -> TrialRecord:
    """Return the record of a trial.

    Args:
        search: The search's record.
        number: The trial's number; None for the best trial.

    Raises:
        InputError: No trial is the best, or there is no such trial.
    """
    if number is None:
        if search.best is None:
            raise InputError(
                f"{search.directory} has no best trial. {search.counts_in_words()} "
                f"{search.advice()}"
            )
        return search.best
    if number not in search.trials:
        numbers = ", ".join(map(str, sorted(search.trials))) or "none"
        raise InputError(
            f"trial must be one of the trials on record: {one_line(numbers, 200)}. "
            f"Received: {number}."
        )
    return search.trials[number]


def model_file(directory: Path, trial: int) -> Path | None:
    """Return the file of a trial's model; None if it is not on disk, or damaged."""
    run = RunDirectory(directory)
    files = (run.best, run.model_of(trial))
    return next((file.absolute() for file in files if trial_of_model(file) == trial), None)


def _training(search: SearchRecord, trial: TrialRecord) -> tuple[str | None, str]:
    """Return the program that trains a trial again, or the reason why there is none."""
    if search.is_from_objects:
        return None, (
            "The data or the model builder were objects in Python: no program outside of it can "
            "train the trial again."
        )
    try:
        path = search.directory / "config.toml"
        config = as_recorded(load_config(path, recorded=True), search.directory)
        return training_script(config, search.directory, trial), ""
    except InputError as error:
        return None, f"No program trains it again: {one_line(str(error))}"
