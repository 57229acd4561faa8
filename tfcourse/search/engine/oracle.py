"""The oracle proposes: the one place that subclasses keras-tuner's ``Oracle``."""

import threading
import time
from collections.abc import Hashable, Mapping
from typing import Any, Protocol

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from tfcourse.errors import WorkFailedError
from tfcourse.search.config.architecture import program_of
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.engine.bayesian import bayesian
from tfcourse.search.engine.space import to_hyperparameters
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.scheduler.leases import Lease
from tfcourse.search.scheduler.trial_queue import TrialQueue
from tfcourse.search.strategies.proposals import PROPOSALS, Memo, Records
from tfcourse.search.trials.trainings import with_origin

__all__ = ["Journal", "SearchOracle", "holder", "propose"]

SECONDS_UNTIL_SEEN = 60.0


class Journal(Protocol):
    """Where the oracle learns what a trial gave, and tells who runs which."""

    def recorded(self, trial: int) -> TrialRecord | None:
        """The record of a trial, or None if there is none."""

    def leases_changed(self, leases: Mapping[str, Lease]) -> None:
        """Called with all trials under way, by worker, whenever they change."""

    def ended(self, record: TrialRecord) -> None:
        """Called with the record of each trial that ends."""


class SearchOracle(keras_tuner.Oracle):
    """Hands out the trials of a search: trial i has the values that `propose` gives it.

    The record of finished trials is the run directory's: keras-tuner's own state, which it
    writes in steps that a crash can come between, is not written at all. Its lock is not used
    either: an error inside leaves it locked.

    Args:
        config: The search.
        trials: How many trials there are to be.
        finished: Trials that an earlier run finished; they are not proposed again.
        journal: Holds the record of a trial before its worker says that it has ended.
        leases: Trials that were under way when an oracle before this one died, by worker.
        by_program: Whether a worker is given trials whose program it has compiled, if it can be;
            else the trials go in the order of their numbers. What they come to is the same.
    """

    def __init__(
        self,
        config: SearchConfig,
        trials: int,
        finished: Records,
        journal: Journal,
        leases: Mapping[str, Lease] | None = None,
        by_program: bool = False,
    ) -> None:
        super().__init__(
            objective=keras_tuner.Objective(config.search.objective, config.direction),
            max_trials=trials,
            hyperparameters=to_hyperparameters(config.space),
            seed=config.search.seed,
        )
        self.verbose = 0
        self.config, self.journal = config, journal
        self.finished = {i: record for i, record in finished.items() if i < trials}
        self.leases = {
            name: lease
            for name, lease in (leases or {}).items()
            if lease.trial < trials and lease.trial not in self.finished
        }
        taken = {*self.finished, *(lease.trial for lease in self.leases.values())}
        self._memo = Memo()
        # A Gaussian process would give each trial the same values in any order of a batch too. But
        # a batch is about as large as the workers are many, so that there is little to choose
        # from, and to look ahead is to fit the process for all of it while the workers wait.
        ahead = by_program and config.search.strategy != "bayesian"
        self._free = TrialQueue(
            (i for i in range(trials) if i not in taken),
            self._program_of if ahead else None,
            config.search.reuse_models,
        )
        for name, lease in self.leases.items():
            self._free.take(lease.trial, holder(name))
        self._released: set[int] = set()
        self._lock = threading.RLock()

    def create_trial(self, tuner_id: str) -> Any:
        """The tuner's trial under way, or the next that nobody has run or is running.

        Its status is IDLE while others, on which its values depend, have not ended.
        """
        with self._lock:
            self._settle(tuner_id)
            if tuner_id not in self.leases:
                index = self._next_free(holder(tuner_id))  # it stays free: what follows may fail
                if index is None:
                    # Trials that others run are waited for, or handed out again if one gets lost.
                    idle = TrialStatus.STOPPED if self.complete else TrialStatus.IDLE
                    return self._trial(self.max_trials, idle)
                response = self.populate_space(f"{index:04d}")
                if response["status"] != TrialStatus.RUNNING:
                    return self._trial(index, response["status"])
                self._free.take(index, holder(tuner_id))
                self.leases[tuner_id] = Lease(index, response["values"], time.time())
            self.journal.leases_changed(self.leases)
            lease = self.leases[tuner_id]
            trial = self._trial(lease.trial, TrialStatus.RUNNING, lease.values)
            self.trials[trial.trial_id] = trial
            return trial

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of a trial, from its number and what has ended."""
        values = propose(self.config, int(trial_id), self.finished, self._memo)
        if values is None:
            return {"status": TrialStatus.IDLE, "values": None}
        return {"status": TrialStatus.RUNNING, "values": values}

    def end_trial(self, trial: Any) -> None:
        """Takes over the record of a trial; keras-tuner's messages would round its score.

        Raises:
            WorkFailedError: There is no record.
        """
        index = int(trial.trial_id)
        record = self._await_record(index)
        if record is None:
            raise WorkFailedError(
                f"Trial {index} ended, and its record can't be found. "
                "All workers must use the chief's run directory, on storage that they share."
            )
        with self._lock:
            self._finish(record)

    def release(self, worker: str) -> None:
        """Takes the trials of a lost worker back, for others."""
        with self._lock:
            lost = [name for name in self.leases if holder(name) == worker]
            for name in lost:
                trial = self.leases.pop(name).trial
                self._free.put_back(trial)
                self._released.add(trial)
            self._free.forget(worker)
            if lost:
                self.journal.leases_changed(self.leases)

    @property
    def complete(self) -> bool:
        """Whether all trials have ended."""
        return len(self.finished) == self.max_trials

    def _settle(self, tuner_id: str) -> None:
        """Ends a trial that is on record though its worker, which died, never said so."""
        lease = self.leases.get(tuner_id)
        if lease is not None and (record := self.journal.recorded(lease.trial)) is not None:
            self._finish(record)

    def _next_free(self, worker: str) -> int | None:
        while (index := self._free.next(worker)) is not None:
            # A worker that was given up for lost may have ended its trial after all. Of others
            # nothing is looked for: a network's file system remembers that it was not there.
            record = self.journal.recorded(index) if index in self._released else None
            if record is None:
                break
            self._finish(record)
        return index

    def _program_of(self, trial: int) -> Hashable | None:
        """What a trial's program is known by, or None while its values are not known."""
        values = propose(self.config, trial, self.finished, self._memo)
        if values is None:
            return None
        own, _ = with_origin(self.config.search.strategy, trial, values)
        return program_of(own, self.config.builder)

    def _await_record(self, index: int) -> TrialRecord | None:
        """A trial's record; what another machine has written may take a while to be seen."""
        end = time.monotonic() + SECONDS_UNTIL_SEEN
        while (record := self.journal.recorded(index)) is None and time.monotonic() < end:
            time.sleep(0.1)
        return record

    def _finish(self, record: TrialRecord) -> None:
        """Ends a trial: first on record, so that a failure there can be made good."""
        if record.trial not in self.finished:
            self.journal.ended(record)
        self.finished[record.trial] = record
        self._free.discard(record.trial)
        for name in [n for n, lease in self.leases.items() if lease.trial == record.trial]:
            del self.leases[name]
        self.trials.pop(f"{record.trial:04d}", None)
        self.journal.leases_changed(self.leases)

    def _trial(self, index: int, status: str, values: Mapping[str, Any] | None = None) -> Any:
        hyperparameters = self.hyperparameters.copy()
        if values is not None:
            hyperparameters.values = dict(values)
        return Trial(hyperparameters, f"{index:04d}", status)

    def save(self) -> None:
        """Writes nothing: the run directory is the record."""

    def _save_trial(self, trial: Any) -> None:
        """Writes nothing: the run directory is the record."""


def holder(tuner_id: str) -> str:
    """The worker that asks as ``tuner_id``: one that holds several trials is ``NAME/0``, ..."""
    return tuner_id.partition("/")[0]


def propose(
    config: SearchConfig, trial: int, finished: Records, memo: Memo | None = None
) -> dict[str, Any] | None:
    """The values of trial number ``trial``, or None if trials before it must end first.

    Args:
        config: The search.
        trial: The trial's number, from 0.
        finished: The records of the trials that have ended, by number.
        memo: Keeps what was computed for the next call; it changes nothing but the time.
    """
    memo = Memo() if memo is None else memo
    if config.search.strategy == "bayesian":
        return bayesian(config, trial, finished, memo)
    return PROPOSALS[config.search.strategy](config, trial, finished, memo)
