"""The values of trials: a function of the study, the trial's number and earlier records.

Nothing is remembered between two calls that would change their result: a search that was
interrupted, or that runs in several processes, proposes the same values.
"""

from tfcourse.search.records.visibility import ReadRecord, await_record
from tfcourse.search.strategies.bayesian import BAYESIAN
from tfcourse.search.strategies.coarse_to_fine import COARSE_TO_FINE
from tfcourse.search.strategies.gp import GP
from tfcourse.search.strategies.grid import GRID
from tfcourse.search.strategies.hyperband import HYPERBAND
from tfcourse.search.strategies.optuna_samplers import OPTUNA
from tfcourse.search.strategies.pruning import TrialLimits
from tfcourse.search.strategies.quasi_random import QUASI_RANDOM
from tfcourse.search.strategies.random_search import RANDOM, draw
from tfcourse.search.strategies.study import Memo, Records, Strategy, Study
from tfcourse.types import Hyperparameters

__all__ = ["MODEL_BASED", "STRATEGIES", "Proposer", "dependencies", "is_ready", "propose"]

STRATEGIES: dict[str, Strategy] = {
    "random": RANDOM,
    "quasi_random": QUASI_RANDOM,
    "grid": GRID,
    "coarse_to_fine": COARSE_TO_FINE,
    "hyperband": HYPERBAND,
    "bayesian": BAYESIAN,
    "gp": GP,
    "tpe": OPTUNA,
    "cma_es": OPTUNA,
    "optuna": OPTUNA,
}
# Those that fit a model to the trials, which takes time; their settings have ``parallel``.
MODEL_BASED = ("bayesian", "gp", "tpe", "cma_es", "optuna")


def dependencies(study: Study, trial: int) -> range:
    """Return the trials that must have ended before the trial's values and limits are known."""
    compared = range(0) if study.pruning is None else study.pruning.compared(trial)
    if trial < len(study.start):
        return compared
    needed = STRATEGIES[study.strategy].dependencies(study, trial)
    # Without hyperband, which excludes pruning, both begin with the first trial.
    return max(needed, compared, key=len)


def is_ready(study: Study, trial: int, finished: Records, memo: Memo) -> bool:
    """Return whether all trials have ended that the trial's values and limits depend on."""
    while memo.first_missing in finished:
        memo.first_missing += 1
    needed = dependencies(study, trial)
    # The last ones are missing first.
    unknown = reversed(range(max(needed.start, memo.first_missing), needed.stop))
    return all(number in finished for number in unknown)


def propose(
    study: Study, trial: int, finished: Records, memo: Memo | None = None
) -> Hyperparameters | None:
    """Return the values of trial number ``trial``; None if trials before it must end first.

    Args:
        study: The study.
        trial: The trial's number, from 0.
        finished: The records of the trials that have ended, by number.
        memo: Keeps results for the next call, to save time.
    """
    memo = Memo() if memo is None else memo
    if not is_ready(study, trial, finished, memo):
        return None
    if trial < len(study.start) and study.strategy != "hyperband":  # which adds its epochs
        return draw(study, trial, finished, memo)
    return STRATEGIES[study.strategy].values(study, trial, finished, memo)


class Proposer:
    """Computes the values of a study's trials from the record that all workers share.

    Args:
        study: The study.
        finished: The records that are known already, by number.
        read_record: Returns the record of a trial, None if there is none.
    """

    def __init__(self, study: Study, finished: Records, read_record: ReadRecord) -> None:
        self.study, self.read_record = study, read_record
        self.records = dict(finished)
        self._memo = Memo()

    def __call__(self, trial: int) -> Hyperparameters:
        """Return the values of a trial that the scheduler has scheduled.

        Raises:
            WorkFailedError: The record of a trial before it can't be found.
        """
        for number in dependencies(self.study, trial):
            if number not in self.records:
                self.records[number] = await_record(self.read_record, number)
        values = propose(self.study, trial, self.records, self._memo)
        assert values is not None, "all that it depends on is on record"
        return values

    def limits(self, trial: int, epochs: int) -> TrialLimits | None:
        """Return the limits below which a trial is pruned, once its values have been computed.

        Args:
            trial: The trial's number.
            epochs: Its epochs if it is not pruned.
        """
        pruning = self.study.pruning
        return None if pruning is None else pruning.limits(trial, epochs, self.records)
