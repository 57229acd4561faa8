"""The tuner asks for trials: the one place that subclasses keras-tuner's tuner."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import TrialStatus

from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.trials.trial import TrialRunner

__all__ = ["CourseTuner"]

PREFIX = "KERASTUNER_"

OnTrial = Callable[[TrialRecord, Any], None]
OnBegin = Callable[[int, Mapping[str, Any]], None]


class CourseTuner(BaseTuner):
    """Has each proposed trial run, and hands on its record.

    Args:
        oracle: Proposes the trials.
        runner: Runs them.
        directory: An existing folder; nothing is written there.
        on_trial: Called with each trial's record and, if it completed, what saves its model
            with the weights of its best epoch.
        name: The name under which the oracle knows this tuner.
        on_begin: Called with the number and values of each trial before it begins.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        runner: TrialRunner,
        directory: Path,
        on_trial: OnTrial,
        name: str = "main",
        on_begin: OnBegin | None = None,
    ) -> None:
        self.runner, self.on_trial, self.on_begin = runner, on_trial, on_begin
        with _own_settings():
            super().__init__(oracle, directory=str(directory), project_name=".")
        self.tuner_id = name
        self.finished: tuple[TrialRecord, Any] | None = None

    def search(self) -> None:
        """Runs trials until the oracle has none left."""
        with _own_settings():
            super().search()

    def on_trial_begin(self, trial: Any) -> None:
        """Tells who asked for it."""
        if self.on_begin is not None:
            self.on_begin(int(trial.trial_id), trial.hyperparameters.values)

    def _try_run_and_update_trial(self, trial: Any, *args: Any, **kwargs: Any) -> None:
        # keras-tuner's own prints the traceback of a failed trial, and goes on after any error.
        try:
            self._run_and_update_trial(trial)
            trial.status = TrialStatus.COMPLETED
        except keras_tuner.errors.FailedTrialError as error:
            trial.status, trial.message = TrialStatus.FAILED, str(error)

    def run_trial(self, trial: Any) -> dict[str, float]:
        """Runs one trial; a failure is one for keras-tuner too."""
        self.finished = self.runner.run(int(trial.trial_id), dict(trial.hyperparameters.values))
        record, _ = self.finished
        if record.status == "failed" or record.score is None:
            raise keras_tuner.errors.FailedTrialError(record.message)
        return {self.runner.config.search.objective: record.score}

    def on_trial_end(self, trial: Any) -> None:
        """Hands on the record."""
        assert self.finished is not None
        self.on_trial(*self.finished)
        super().on_trial_end(trial)

    @property
    def effort(self) -> Effort:
        """What the trials so far took."""
        return self.runner.effort

    def save(self) -> None:
        """Writes nothing: the run directory is the record."""


@contextmanager
def _own_settings() -> Iterator[None]:
    """Hides keras-tuner's variables for its own chief and workers: they would be obeyed."""
    hidden = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith(PREFIX)}
    try:
        yield
    finally:
        os.environ.update(hidden)
