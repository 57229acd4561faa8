"""The oracle proposes: the one place that subclasses keras-tuner's ``Oracle``."""

import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle

from tfcourse.search.config import SearchConfig
from tfcourse.search.parameters import active
from tfcourse.search.results import TrialRecord
from tfcourse.search.sampling import sample, trial_seed
from tfcourse.search.space import to_hyperparameters
from tfcourse.search.strategies import PROPOSALS, Records, by_quality

__all__ = ["SearchOracle", "propose"]


class SearchOracle(keras_tuner.Oracle):
    """Hands out the trials of a search: trial i has the values that `propose` gives it.

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
        self.config = config
        self.finished = {i: record for i, record in finished.items() if i < trials}
        for index, record in self.finished.items():
            self.trials[self._id(index)] = self._as_trial(record)

    def _id(self, index: int) -> str:
        return f"{index:04d}"

    def _as_trial(self, record: TrialRecord) -> Any:
        completed = record.status == "completed"
        status = TrialStatus.COMPLETED if completed else TrialStatus.FAILED
        trial = self._new_trial(record.trial, status, record.values)
        trial.message, trial.score = record.message, record.score
        return trial

    def _new_trial(self, index: int, status: str, values: Mapping[str, Any] | None = None) -> Any:
        hyperparameters = self.hyperparameters.copy()
        if values is not None:
            hyperparameters.values = dict(values)
        return Trial(hyperparameters, self._id(index), status)

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Any:
        """The lowest-numbered trial that nobody has run or is running.

        Its status is IDLE while others, on which its values depend, have not ended.
        """
        if tuner_id in self.ongoing_trials:
            return self.ongoing_trials[tuner_id]
        free = (i for i in range(self.max_trials) if self._id(i) not in self.trials)
        index = next(free, None)
        if index is None:
            return self._new_trial(self.max_trials, TrialStatus.STOPPED)
        response = self.populate_space(self._id(index))
        trial = self._new_trial(index, response["status"], response["values"])
        if trial.status == TrialStatus.RUNNING:
            self.ongoing_trials[tuner_id] = self.trials[trial.trial_id] = trial
            self.start_order.append(trial.trial_id)
        return trial

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of a trial, from its number and what has ended."""
        values = propose(self.config, int(trial_id), self.finished)
        if values is None:
            return {"status": TrialStatus.IDLE, "values": None}
        return {"status": TrialStatus.RUNNING, "values": values}

    @keras_tuner.synchronized
    def end_trial(self, trial: Any) -> None:
        """Keeps what the trials after this one depend on."""
        super().end_trial(trial)
        ended, index = self.trials[trial.trial_id], int(trial.trial_id)
        completed = ended.status == TrialStatus.COMPLETED
        self.finished[index] = TrialRecord(
            trial=index,
            status="completed" if completed else "failed",
            values=dict(ended.hyperparameters.values),
            score=ended.score if completed else None,
        )

    def _record_values(self, trial: Any) -> None:
        """Leaves the values as they are: keras-tuner would fill in those that have none."""

    def save(self) -> None:
        """Writes nothing: the run directory is the record."""

    def _save_trial(self, trial: Any) -> None:
        """Writes nothing: the run directory is the record."""


def propose(config: SearchConfig, trial: int, finished: Records) -> dict[str, Any] | None:
    """The values of trial number ``trial``, or None if trials before it must end first.

    Args:
        config: The search.
        trial: The trial's number, from 0.
        finished: The records of the trials that have ended, by number.
    """
    proposal = (
        _bayesian if config.search.strategy == "bayesian" else PROPOSALS[config.search.strategy]
    )
    return proposal(config, trial, finished)


def _bayesian(config: SearchConfig, trial: int, finished: Records) -> dict[str, Any] | None:
    """keras-tuner's Gaussian process over the positions on the scales, made anew for the trial.

    The trials run in batches of ``parallel``, and a batch begins when those before it have ended.
    Of the batch's own trials, it is supposed that they end like the worst so far ("constant
    liar"), so that the next one looks elsewhere; so are trials that failed.
    """
    settings, space, seed = config.settings, config.space, config.search.seed
    initial = settings.initial or max(3 * len(space), 3)
    if trial < initial:
        return sample(space, seed, trial)
    first = trial // settings.parallel * settings.parallel
    if any(t not in finished for t in range(first)):
        return None
    ranked, failed = by_quality({t: finished[t] for t in range(first)}, config.direction)
    if not ranked:
        return sample(space, seed, trial)
    worst = ranked[-1].score
    seen = [(record.values, record.score) for record in ranked]
    seen += [(record.values, worst) for record in failed]
    values: dict[str, Any] = {}
    for number in range(first, trial + 1):
        drawn = number < initial
        values = sample(space, seed, number) if drawn else _next_values(config, number, seen)
        seen.append((values, worst))
    return values


def _next_values(config: SearchConfig, trial: int, seen: Sequence[Any]) -> dict[str, Any]:
    """The values where keras-tuner's oracle goes on after those of ``seen``, with their scores."""
    space = config.space
    names = sorted(space)  # the tables' order in the file must not matter
    point = _next_point(
        # The middle where a trial had no value of its own.
        tuple(
            (tuple(space[n].unit_of(values[n]) if n in values else 0.5 for n in names), score)
            for values, score in seen
        ),
        config.direction,
        config.settings.beta,
        trial_seed(config.search.seed, trial) + 1,  # keras-tuner takes 0 for "draw one"
    )
    units = dict(zip(names, point, strict=True))
    return active(space, {name: p.value_at(units[name]) for name, p in space.items()})


@functools.lru_cache(maxsize=64)  # a batch asks for its first trials again
def _next_point(
    seen: tuple[tuple[tuple[float, ...], float], ...], direction: str, beta: float, seed: int
) -> tuple[float, ...]:
    """Where in the unit cube keras-tuner's oracle goes on after points with these scores."""
    from sklearn.exceptions import ConvergenceWarning  # an extra

    hyperparameters = keras_tuner.HyperParameters()
    names = [str(axis) for axis in range(len(seen[0][0]))]
    for name in names:
        hyperparameters.Float(name, 0.0, 1.0)
    oracle = BayesianOptimizationOracle(
        objective=keras_tuner.Objective("score", direction),
        num_initial_points=1,
        beta=beta,
        seed=seed,
        hyperparameters=hyperparameters,
    )
    for number, (point, score) in enumerate(seen):
        tried = hyperparameters.copy()
        tried.values = dict(zip(names, point, strict=True))
        oracle.trials[str(number)] = Trial(tried, str(number), TrialStatus.COMPLETED)
        oracle.trials[str(number)].score = score
    with warnings.catch_warnings():
        # Of the kernel's length at its bounds: nothing that a user of a search could mend.
        warnings.simplefilter("ignore", ConvergenceWarning)
        values = oracle.populate_space(str(len(seen)))["values"]
    return tuple(float(values[name]) for name in names)
