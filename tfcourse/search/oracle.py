"""The oracle proposes: the one place that subclasses keras-tuner's ``Oracle``."""

from collections.abc import Mapping
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from tfcourse.search.config import SearchConfig
from tfcourse.search.results import TrialRecord
from tfcourse.search.sampling import sample
from tfcourse.search.space import to_hyperparameters

__all__ = ["RandomOracle"]


class RandomOracle(keras_tuner.Oracle):
    """Random search: trial i has the values of (space, seed, i), whoever asks and when.

    The record of finished trials is the run directory's: keras-tuner's own state, which it
    writes in steps that a crash can come between, is not written at all.

    Args:
        config: The search.
        trials: How many trials there are to be.
        finished: Trials that an earlier run finished; they are not proposed again.
    """

    def __init__(
        self, config: SearchConfig, trials: int, finished: Mapping[int, TrialRecord]
    ) -> None:
        super().__init__(
            objective=keras_tuner.Objective(config.search.objective, config.direction),
            max_trials=trials,
            hyperparameters=to_hyperparameters(config.space),
            seed=config.search.seed,
            # A failed trial is recorded and does not end the search.
            max_consecutive_failed_trials=trials + 1,
        )
        self.verbose = 0
        self.space = config.space
        # Beside keras-tuner's own seed, which takes 0 for "draw one".
        self.search_seed = config.search.seed
        for index, record in finished.items():
            if index < trials:
                self.trials[self._id(index)] = self._as_trial(record)

    def _id(self, index: int) -> str:
        return f"{index:04d}"

    def _as_trial(self, record: TrialRecord) -> Any:
        hyperparameters = self.hyperparameters.copy()
        hyperparameters.values = dict(record.values)
        completed = record.status == "completed"
        status = TrialStatus.COMPLETED if completed else TrialStatus.FAILED
        trial = Trial(hyperparameters, self._id(record.trial), status, record.message)
        trial.score = record.score
        return trial

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Any:
        """The lowest-numbered trial that nobody has run or is running."""
        if tuner_id in self.ongoing_trials:
            return self.ongoing_trials[tuner_id]
        free = (i for i in range(self.max_trials) if self._id(i) not in self.trials)
        index = next(free, None)
        hyperparameters = self.hyperparameters.copy()
        if index is None:
            return Trial(hyperparameters, self._id(self.max_trials), TrialStatus.STOPPED)
        hyperparameters.values = self.populate_space(self._id(index))["values"]
        trial = Trial(hyperparameters, self._id(index), TrialStatus.RUNNING)
        self.ongoing_trials[tuner_id] = self.trials[trial.trial_id] = trial
        self.start_order.append(trial.trial_id)
        return trial

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of a trial, from its number."""
        values = sample(self.space, self.search_seed, int(trial_id))
        return {"status": TrialStatus.RUNNING, "values": values}

    def save(self) -> None:
        """Writes nothing: the run directory is the record."""

    def _save_trial(self, trial: Any) -> None:
        """Writes nothing: the run directory is the record."""
