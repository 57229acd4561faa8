"""The scheduler: gives each worker the number of its next trial. Nothing of keras-tuner."""

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Protocol

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.records.visibility import await_record
from tfcourse.search.scheduler.leases import Lease, worker_of
from tfcourse.search.scheduler.trial_queue import TrialQueue
from tfcourse.search.strategies.proposals import MODEL_BASED, is_ready, propose
from tfcourse.search.strategies.study import Memo, Records, Study
from tfcourse.types import Hyperparameters

__all__ = ["Journal", "Scheduler"]

ProgramOf = Callable[[Hyperparameters], Hashable]


class Journal(Protocol):
    """The record that a scheduler reads and reports to."""

    def recorded(self, trial: int) -> TrialRecord | None:
        """Return the record of a trial, None if there is none."""

    def leases_changed(self, leases: Mapping[str, Lease]) -> None:
        """Take note of all leases by holder; called whenever they change."""

    def ended(self, record: TrialRecord) -> None:
        """Take note of a trial that has ended."""


class Scheduler:
    """The trials of a search that are free, running and finished.

    It schedules numbers: a trial's values are a function of its number and of the records before
    it, and are computed where the trial runs. Methods may be called from any thread.

    Args:
        study: The study; its ``trials`` is the number of trials.
        finished: The trials that an earlier run finished; they are not run again.
        journal: The record of the trials.
        leases: The leases under an earlier scheduler that died, by holder.
        program_of: Returns a key of the compiled program that values need. With it a worker gets,
            if possible, trials whose program it has compiled. Without it trials are scheduled in
            the order of their numbers.
        programs_kept: The number of programs that a worker keeps, the last used.
    """

    def __init__(
        self,
        study: Study,
        finished: Records,
        journal: Journal,
        leases: Mapping[str, Lease] | None = None,
        program_of: ProgramOf | None = None,
        programs_kept: int = 0,
    ) -> None:
        self.study, self.journal, trials = study, journal, study.trials
        self.finished = {i: record for i, record in finished.items() if i < trials}
        self.leases = {
            holder: lease
            for holder, lease in (leases or {}).items()
            if lease.trial < trials and lease.trial not in self.finished
        }
        unavailable = {*self.finished, *(lease.trial for lease in self.leases.values())}
        self._memo = Memo()
        # Looking ahead with a model would fit it to whole batches while workers wait, to choose
        # among about as many trials as there are workers.
        self._program_of = program_of if study.strategy not in MODEL_BASED else None
        self._queue = TrialQueue(
            (i for i in range(trials) if i not in unavailable),
            self._program if self._program_of is not None else None,
            programs_kept,
        )
        for holder, lease in self.leases.items():
            self._queue.take(lease.trial, worker_of(holder))
        self._released: set[int] = set()
        self._lock = threading.RLock()

    @property
    def complete(self) -> bool:
        """True when all trials have ended."""
        return len(self.finished) == self.study.trials

    def next(self, holder: str) -> int | None:
        """Return the trial that the holder has a lease of, or a new lease's.

        None means that there is none now: the search is complete, or the trials that are left run
        elsewhere, to be run again if their worker is lost, or depend on trials that run.
        """
        with self._lock:
            self._end_recorded(holder)
            if holder not in self.leases:
                trial = self._next_free(worker_of(holder))
                if trial is None or not is_ready(self.study, trial, self.finished, self._memo):
                    return None
                self._queue.take(trial, worker_of(holder))
                self.leases[holder] = Lease(trial, time.time())
            self.journal.leases_changed(self.leases)
            return self.leases[holder].trial

    def end(self, trial: int) -> None:
        """End a trial that is on record.

        Raises:
            WorkFailedError: There is no record.
        """
        record = await_record(self.journal.recorded, trial)
        with self._lock:
            self._end(record)

    def release(self, worker: str) -> None:
        """End the leases of a lost worker: others may run its trials."""
        with self._lock:
            holders = [holder for holder in self.leases if worker_of(holder) == worker]
            for holder in holders:
                trial = self.leases.pop(holder).trial
                self._queue.put_back(trial)
                self._released.add(trial)
            self._queue.forget(worker)
            if holders:
                self.journal.leases_changed(self.leases)

    def _end_recorded(self, holder: str) -> None:
        """End the holder's trial if it is on record: its worker died before reporting it."""
        lease = self.leases.get(holder)
        if lease is not None and (record := self.journal.recorded(lease.trial)) is not None:
            self._end(record)

    def _next_free(self, worker: str) -> int | None:
        while (trial := self._queue.next(worker)) is not None:
            # A worker that was given up may have ended its trial after all. Records of other
            # trials are not looked for: network file systems remember that a file was missing.
            record = self.journal.recorded(trial) if trial in self._released else None
            if record is None:
                break
            self._end(record)
        return trial

    def _program(self, trial: int) -> Hashable | None:
        """Return the key of a trial's program; None while its values are not known."""
        values = propose(self.study, trial, self.finished, self._memo)
        if values is None or self._program_of is None:
            return None
        return self._program_of(values)

    def _end(self, record: TrialRecord) -> None:
        """End a trial: first in the journal, so that a failure there can be repeated."""
        if record.trial not in self.finished:
            self.journal.ended(record)
        self.finished[record.trial] = record
        self._queue.discard(record.trial)
        for holder in [h for h, lease in self.leases.items() if lease.trial == record.trial]:
            del self.leases[holder]
        self.journal.leases_changed(self.leases)
