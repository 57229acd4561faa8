"""The course of the trials of a search on Ray: which worker trains which one."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfcourse.files import replace_atomically
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.runtime.conductor import Conductor
from tfcourse.search.runtime.scheduling import scheduler_by_program
from tfcourse.search.runtime.worker_pool import Worker
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.strategies.proposals import dependencies, propose
from tfcourse.search.strategies.study import Records
from tfcourse.types import Hyperparameters

__all__ = ["RayConductor"]


class RayConductor(Conductor):
    """Gives the workers trials, and writes what they send into the run directory.

    Args:
        config: The search, whose data and builder have been checked.
        finished: The trials on record, which the workers know.
        journal: The record.
    """

    def __init__(self, config: SearchConfig, finished: Records, journal: SearchJournal) -> None:
        self.journal, self.finished = journal, frozenset(finished)
        self.scheduler = scheduler_by_program(config, finished, journal)
        self._waiting: dict[str, Worker] = {}
        self._records_of: dict[str, set[int]] = {}  # the trials whose records a worker has

    def started(self, child: Worker) -> None:
        """Let a worker train.

        One that is started again has no trial: the cluster may have no place for it for long.
        """
        self.scheduler.release(child.name)
        self._records_of[child.name] = {*self.finished}
        self._let_wait(child)

    def receive(self, child: Worker, message: Mapping[str, Any]) -> None:
        """React to what a worker asks for or has done."""
        match message["what"]:
            case "next":
                self._next(child, message["holder"])
            case "recorded":
                self._record(message)
                self._records_of[child.name].add(message["trial"])
                self.scheduler.end(message["trial"])
                self._continue()
            case "trained":
                self._let_wait(child)

    def values_of(self, trial: int) -> Hyperparameters:
        """Return the values of a trial that a worker was told to begin."""
        values = propose(self.scheduler.study, trial, self.scheduler.finished)
        assert values is not None, "the scheduler gives no trial before those it depends on"
        return values

    def give_up(self, worker: str) -> bool:
        """Let others do the work of a worker."""
        self._waiting.pop(worker, None)
        self.scheduler.release(worker)
        self._continue()
        return True

    def _next(self, child: Worker, holder: str) -> None:
        """Send a worker its next trial, with the records that the trial depends on."""
        trial = self.scheduler.next(holder)
        there, records = self._records_of[child.name], self.scheduler.finished
        needed = () if trial is None else dependencies(self.scheduler.study, trial)
        missing = [records[number] for number in needed if number not in there]
        there.update(record.trial for record in missing)
        complete = self.scheduler.complete
        child.send("trial", trial=trial, complete=complete, records=missing)

    def _record(self, message: Mapping[str, Any]) -> None:
        """Write a trial that has ended: its model first, as one without a record is run again."""
        directory, trial, model = self.journal.directory, message["trial"], message["model"]
        if directory.read_trial(trial) is not None:
            return  # a trial that took too long was recorded as failed, and stays so

        def write(path: Path) -> None:
            path.write_bytes(model)

        if model is not None:
            directory.models.mkdir(exist_ok=True)
            replace_atomically(directory.model_of(trial), write)
        directory.write_trial(message["record"])

    def _let_wait(self, child: Worker) -> None:
        self._waiting[child.name] = child
        self._continue()

    def _continue(self) -> None:
        """Let every waiting worker train, or end once no trial is left and none runs."""
        if not self.scheduler.complete:
            order = "train"
        else:
            for name in self._waiting:  # it runs nothing, whatever it has a lease of
                self.scheduler.release(name)
            if self.scheduler.leases:
                return
            self.concluded_at, order = min(self.concluded_at, time.monotonic()), "stop"
        waiting, self._waiting = self._waiting, {}
        for child in waiting.values():
            child.send(order)
