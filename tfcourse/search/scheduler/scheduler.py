"""The scheduler: gives each worker the number of its next trial. Nothing of keras-tuner."""

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Protocol

from tfcourse.errors import WorkFailedError
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.records.visibility import await_record
from tfcourse.search.scheduler.leases import Lease, worker_of
from tfcourse.search.scheduler.trial_queue import TrialQueue
from tfcourse.search.strategies.proposals import MODEL_BASED, is_ready, propose
from tfcourse.search.strategies.stopping import (
    NO_LIMITS,
    EarlierRuns,
    Limits,
    Stop,
    find_stop,
    latest_end,
)
from tfcourse.search.strategies.study import Memo, Records, Study
from tfcourse.types import Hyperparameters

__all__ = ["Journal", "Scheduler"]

ProgramOf = Callable[[Hyperparameters], Hashable]


class Journal(Protocol):
    """The record that a scheduler reads and reports to.

    Attributes:
        earlier: The part of the search that earlier runs have done.
    """

    earlier: EarlierRuns

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
        limits: The limits of the search. With a target or a patience trials are scheduled in the
            order of their numbers, so that few run that do not count.
    """

    def __init__(
        self,
        study: Study,
        finished: Records,
        journal: Journal,
        leases: Mapping[str, Lease] | None = None,
        program_of: ProgramOf | None = None,
        programs_kept: int = 0,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self.study, self.journal, trials = study, journal, study.trials
        self.limits, self.earlier = limits, journal.earlier
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
        ahead = study.strategy not in MODEL_BASED and not limits.by_score
        self._program_of = program_of if ahead else None
        free = (i for i in range(trials) if i not in unavailable)
        self._queue = TrialQueue(free, self._program, programs_kept)
        for holder, lease in self.leases.items():
            self._queue.take(lease.trial, worker_of(holder))
        self._released: set[int] = set()
        self._lock = threading.RLock()
        self._since: float | None = None  # the time of the first trial of this run
        self._look_for_end()

    @property
    def complete(self) -> bool:
        """True when no further trial begins: all have ended, or a limit has ended the search.

        Trials may still run then, which end as usual; see ``leases``.
        """
        return len(self.finished) == self.study.trials or self.stop is not None

    @property
    def stop(self) -> Stop | None:
        """The limit that has ended the search; None while none has."""
        with self._lock:
            return self._find_stop() if self._stop is None and self._is_late else self._stop

    @property
    def seconds(self) -> float:
        """The seconds of all runs of the search, from the first trial of each."""
        now = time.monotonic()
        return self.earlier.seconds + now - (now if self._since is None else self._since)

    @property
    def _is_late(self) -> bool:
        if not self.finished and not self.leases:
            return False  # at least one trial begins
        return self.limits.max_seconds is not None and self.seconds >= self.limits.max_seconds

    def next(self, holder: str) -> int | None:
        """Return the trial that the holder has a lease of, or a new lease's.

        None means that there is none now: the search is complete, or the trials that are left run
        elsewhere, to be run again if their worker is lost, or depend on trials that run.
        """
        with self._lock:
            self._since = time.monotonic() if self._since is None else self._since
            self._end_recorded(holder)
            if holder in self.leases and not self._may_begin(self.leases[holder].trial):
                self._release(holder)
            if holder not in self.leases:
                trial = self._next_free(worker_of(holder))
                if trial is None or not self._may_begin(trial):
                    return None
                if not is_ready(self.study, trial, self.finished, self._memo):
                    return None
                self._change_leases(self.leases | {holder: Lease(trial, time.time())})
                self._queue.take(trial, worker_of(holder))
            return self.leases[holder].trial

    def end(self, trial: int) -> None:
        """End a trial that is on record.

        Raises:
            WorkFailedError: There is no record, or no such trial.
        """
        if not 0 <= trial < self.study.trials:
            raise WorkFailedError(f"Trial {trial} is none of the {self.study.trials} trials.")
        record = await_record(self.journal.recorded, trial)
        with self._lock:
            self._end(record)

    def release(self, worker: str) -> None:
        """End the leases of a lost worker: others may run its trials."""
        with self._lock:
            for holder in [h for h in self.leases if worker_of(h) == worker]:
                self._end_recorded(holder)
                self._release(holder)
            self._queue.forget(worker)

    def _release(self, holder: str) -> None:
        if (lease := self.leases.get(holder)) is not None:
            self._change_leases({h: self.leases[h] for h in self.leases if h != holder})
            self._queue.put_back(lease.trial)
            self._released.add(lease.trial)

    def _may_begin(self, trial: int) -> bool:
        return trial < self._latest_end and not self._is_late

    def _find_stop(self) -> Stop | None:
        earlier = replace(self.earlier, seconds=self.seconds)
        study = self.study
        return find_stop(self.limits, study.direction, self.finished, study.trials, earlier)

    def _look_for_end(self) -> None:
        """Find out which trials need not begin, and whether the search has ended."""
        study, least = self.study, self.earlier.least
        self._latest_end = latest_end(
            self.limits, study.direction, self.finished, study.trials, least
        )
        self._stop = self._find_stop()

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
        if self._program_of is None:
            return ()
        values = propose(self.study, trial, self.finished, self._memo)
        return None if values is None else self._program_of(values)

    def _end(self, record: TrialRecord) -> None:
        """End a trial: first in the journal, so that a failure there can be repeated."""
        if record.trial not in self.finished:
            self.journal.ended(record)
        self.finished[record.trial] = record
        self._look_for_end()
        self._queue.discard(record.trial)
        running = {h: lease for h, lease in self.leases.items() if lease.trial != record.trial}
        self._change_leases(running)

    def _change_leases(self, leases: dict[str, Lease]) -> None:
        """Replace the leases, unless they are the same; first in the journal."""
        if leases != self.leases:
            self.journal.leases_changed(leases)
            self.leases = leases
