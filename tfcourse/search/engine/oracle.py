"""The one place that subclasses keras-tuner's ``Oracle``: a source of trial numbers for tuners."""

import time

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from tfcourse.search.records.trial_source import TrialSource

__all__ = ["SearchOracle"]

SECONDS_IDLE = 0.2


class SearchOracle(keras_tuner.Oracle):
    """keras-tuner's view of a scheduler: trials with a number, whose values are computed later.

    The record of finished trials is the run directory's. keras-tuner's own state, which it writes
    in steps that a crash can come between, is not written at all. Its lock is not used either: an
    error inside leaves it locked.

    Args:
        objective: The name of the objective.
        direction: ``"max"`` or ``"min"``.
        trials: The number of trials.
        source: The scheduler.

    Attributes:
        pause: The seconds to wait when there is no trial: keras-tuner's loop asks again at once.
    """

    def __init__(self, objective: str, direction: str, trials: int, source: TrialSource) -> None:
        super().__init__(keras_tuner.Objective(objective, direction), max_trials=trials)
        self.verbose, self.source, self.pause = 0, source, SECONDS_IDLE

    def create_trial(self, tuner_id: str) -> Trial:
        """Return the tuner's trial, without values.

        Its status is STOPPED if the search is complete, IDLE if the tuner has to wait.
        """
        number = self.source.next(tuner_id)
        if number is not None:
            return self._trial(number, TrialStatus.RUNNING)
        if self.source.complete:
            return self._trial(self.max_trials, TrialStatus.STOPPED)
        time.sleep(self.pause)
        return self._trial(self.max_trials, TrialStatus.IDLE)

    def end_trial(self, trial: Trial) -> None:
        """Take note of a trial that is on record."""
        self.source.end(int(trial.trial_id))

    def _trial(self, number: int, status: str) -> Trial:
        return Trial(self.hyperparameters.copy(), f"{number:04d}", status)

    def save(self) -> None:
        """Write nothing: the run directory is the record."""

    def _save_trial(self, trial: Trial) -> None:
        """Write nothing: the run directory is the record."""
