"""The one place that subclasses keras-tuner's ``BaseTuner``: it runs one trial after another."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.types import Hyperparameters

__all__ = ["CourseTuner", "OnBegin", "OnTrial", "RunTrial"]

PREFIX = "KERASTUNER_"

OnTrial = Callable[[TrialRecord, Any], None]
OnBegin = Callable[[int, Hyperparameters], None]
RunTrial = Callable[[int, Hyperparameters], tuple[TrialRecord, Any]]


class CourseTuner(BaseTuner):
    """Runs the trials of an oracle one after the other.

    Args:
        oracle: The source of trials.
        propose: Returns the values of a trial.
        run: Trains a trial, and returns its record and, if it completed, an object whose ``save``
            writes the model with the weights of its best epoch.
        directory: An existing folder; nothing is written there.
        on_trial: Called with each trial's record and model.
        name: The name under which the oracle knows this tuner.
        on_begin: Called with the number and values of each trial before it begins.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        propose: Callable[[int], Hyperparameters],
        run: RunTrial,
        directory: Path,
        on_trial: OnTrial,
        name: str = "main",
        on_begin: OnBegin | None = None,
    ) -> None:
        self.propose, self.run, self.on_trial, self.on_begin = propose, run, on_trial, on_begin
        with _without_settings_of_keras_tuner():
            super().__init__(oracle, directory=str(directory), project_name=".")
        self.tuner_id = name

    def search(self) -> None:
        """Run trials until the oracle has none left."""
        with _without_settings_of_keras_tuner():
            super().search()

    def _try_run_and_update_trial(self, trial: Trial, *args: object, **kwargs: object) -> None:
        # keras-tuner's own makes a record of its own, and continues after any error.
        self.run_trial(trial)

    def run_trial(self, trial: Trial) -> None:
        """Run one trial, and report its record."""
        number = int(trial.trial_id)
        values = self.propose(number)
        if self.on_begin is not None:
            self.on_begin(number, values)
        self.on_trial(*self.run(number, values))

    def save(self) -> None:
        """Write nothing: the run directory is the record."""


@contextmanager
def _without_settings_of_keras_tuner() -> Iterator[None]:
    """Hide the environment variables for keras-tuner's own chief and workers."""
    hidden = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith(PREFIX)}
    try:
        yield
    finally:
        os.environ.update(hidden)
