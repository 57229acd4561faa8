"""The one place that subclasses keras-tuner's ``BaseTuner``: it runs one trial after another."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.types import Hyperparameters

__all__ = ["CourseTuner", "OnBegin", "OnTrial", "RunTrial"]

PREFIX = "KERASTUNER_"

OnTrial = Callable[[TrialRecord, Any], None]
OnBegin = Callable[[int, Hyperparameters], None]
RunTrial = Callable[[int, Mapping[str, Any]], tuple[TrialRecord, Any]]


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
        self.result: tuple[TrialRecord, Any] | None = None

    def search(self) -> None:
        """Run trials until the oracle has none left."""
        with _without_settings_of_keras_tuner():
            super().search()

    def on_trial_begin(self, trial: Trial) -> None:
        """Compute the values of the trial."""
        number = int(trial.trial_id)
        trial.hyperparameters.values = dict(self.propose(number))
        if self.on_begin is not None:
            self.on_begin(number, trial.hyperparameters.values)

    def _try_run_and_update_trial(self, trial: Trial, *args: object, **kwargs: object) -> None:
        # keras-tuner's own prints the traceback of a failed trial, and continues after any error.
        try:
            self._run_and_update_trial(trial)
            trial.status = TrialStatus.COMPLETED
        except keras_tuner.errors.FailedTrialError as error:
            trial.status, trial.message = TrialStatus.FAILED, str(error)

    def run_trial(self, trial: Trial) -> float:
        """Run one trial; a failure is one for keras-tuner too."""
        self.result = self.run(int(trial.trial_id), dict(trial.hyperparameters.values))
        record, _ = self.result
        if record.status == "failed" or record.score is None:
            raise keras_tuner.errors.FailedTrialError(record.message)
        return record.score

    def on_trial_end(self, trial: Trial) -> None:
        """Report the record, then end the trial."""
        assert self.result is not None
        self.on_trial(*self.result)
        super().on_trial_end(trial)

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
