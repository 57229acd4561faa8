"""The course of a search in workers: preparation, trials, measurement of the best model."""

import math
import time
from collections.abc import Mapping
from typing import Any

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.runtime.conclusion import complete_record, write_seconds
from tfcourse.search.runtime.scheduling import scheduler_by_program
from tfcourse.search.runtime.worker_pool import Worker
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.strategies.study import Records

__all__ = ["Conductor", "LocalConductor"]


class Conductor:
    """Tells the workers of a supervisor what to do: nothing, where a chief elsewhere does.

    Attributes:
        prepared: Whether data and builder have been checked.
        concluded_at: The time, of `time.monotonic`, since which nothing is left to do but for the
            workers to end; infinity before.
    """

    prepared = True
    concluded_at = math.inf

    def started(self, child: Worker) -> None:
        """Begin to conduct a worker, or conduct it again after its death."""

    def receive(self, child: Worker, message: Mapping[str, Any]) -> None:
        """React to a message of a worker."""

    def give_up(self, worker: str) -> bool:
        """Continue without a worker that kept dying; return False if the search can't."""
        return True


class LocalConductor(Conductor):
    """Conducts all of a search's workers; it has the scheduler.

    The first worker prepares the search while the others import TensorFlow and wait. The first one
    that has no trial left at the end measures the best model.

    Args:
        config: The search.
        finished: The trials on record.
        journal: The record.
        fresh: Whether to delete the run directory, once data and builder are checked.
        accept_changes: Whether to continue although the code of the models changed.
    """

    def __init__(
        self,
        config: SearchConfig,
        finished: Records,
        journal: SearchJournal,
        fresh: bool,
        accept_changes: bool,
    ) -> None:
        self.journal, self.fresh, self.accept_changes = journal, fresh, accept_changes
        self.scheduler = scheduler_by_program(config, finished, journal)
        self.prepared = False
        self._preparing: str | None = None
        self._waiting: dict[str, Worker] = {}  # for the preparation, or idle at the end
        self._measuring: str | None = None
        self._to_measure: int | None = None  # the best trial, once it is known and not measured

    def started(self, child: Worker) -> None:
        """Let a worker prepare the search if none does; else let it wait, or train."""
        if self._measuring == child.name:
            self._measuring = None
        if not self.prepared and self._preparing in (None, child.name):
            self._preparing = child.name
            child.send("prepare", fresh=self.fresh, accept_changes=self.accept_changes)
        else:
            self._let_wait(child)

    def receive(self, child: Worker, message: Mapping[str, Any]) -> None:
        """React to what a worker asks for or has done."""
        match message["what"]:
            case "prepared":
                self.prepared, self.fresh = True, False
                self._let_wait(child)
            case "next":
                trial = self.scheduler.next(message["holder"])
                child.send("trial", trial=trial, complete=self.scheduler.complete)
            case "recorded":
                self.scheduler.end(message["trial"])
            case "trained":
                self._let_wait(child)
            case "measured":
                write_seconds(self.journal, self.scheduler)
                self.concluded_at = time.monotonic()
                self._let_wait(child)

    def give_up(self, worker: str) -> bool:
        """Let others do the work of a worker; return False if it prepared the search.

        The next one would die of the same.
        """
        if not self.prepared and worker == self._preparing:
            return False
        self._waiting.pop(worker, None)
        if self._measuring == worker:
            self._measuring = None
        self.scheduler.release(worker)
        self._continue()
        return True

    def _let_wait(self, child: Worker) -> None:
        self._waiting[child.name] = child
        self._continue()

    @property
    def _is_settled(self) -> bool:
        """True when no trial begins any more, and none runs."""
        if not self.scheduler.complete:
            return False
        for name in self._waiting:  # it runs nothing, whatever it has a lease of
            self.scheduler.release(name)
        return not self.scheduler.leases

    def _continue(self) -> None:
        """Give every waiting worker the next thing to do."""
        if not self.prepared:
            return
        if self._is_settled and self._to_measure is None and self.concluded_at == math.inf:
            self._to_measure = complete_record(self.journal, self.scheduler)
            if self._to_measure is None:
                self.concluded_at = time.monotonic()
        for name, child in list(self._waiting.items()):
            if (order := self._next_order(name)) is not None:
                del self._waiting[name]
                child.send(**order)

    def _next_order(self, worker: str) -> dict[str, Any] | None:
        """Return the next message to a waiting worker; None if it must wait."""
        if not self.scheduler.complete:
            return {"what": "train"}
        if self.concluded_at < math.inf:
            return {"what": "stop"}
        if self._to_measure is None or self._measuring is not None:
            return None  # others still run trials, or the worker that measures may die
        self._measuring = worker
        return {"what": "measure", "best": self._to_measure}
