"""The course of a search in workers: preparation, trials, measurement of the best model."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.runtime.conclusion import complete_record
from tfcourse.search.runtime.process import Child
from tfcourse.search.runtime.scheduling import scheduler_by_program
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.strategies.study import Records

__all__ = ["Conductor", "LocalConductor"]

SHUTDOWN_GRACE_SECONDS = 1.0


class Conductor:
    """Tells the workers of a supervisor what to do: nothing, where a chief elsewhere does.

    Attributes:
        prepared: Whether data and builder have been checked.
    """

    prepared = True

    @property
    def is_concluded(self) -> bool:
        """True when nothing is left to do but for the workers to end."""
        return False

    @property
    def is_over(self) -> bool:
        """True when the search is concluded, and workers had the time to end by themselves."""
        return False

    def started(self, child: Child) -> None:
        """Begin to conduct a worker, or conduct it again after its death."""

    def receive(self, child: Child, message: Mapping[str, Any]) -> None:
        """React to a message of a worker."""

    def can_give_up(self, worker: str) -> bool:
        """Return whether the search can continue without a worker."""
        return True

    def give_up(self, worker: str) -> None:
        """Continue without a worker that kept dying."""


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
        self._waiting: dict[str, Child] = {}  # for the preparation, or idle at the end
        self._measuring: str | None = None
        self._to_measure: bool | None = None  # not known before the last trial has ended
        self._concluded_at = 0.0

    @property
    def is_concluded(self) -> bool:
        """True when the record is complete and the best model measured."""
        return self._concluded_at > 0.0

    @property
    def is_over(self) -> bool:
        """True when the search is concluded, and workers had the time to end by themselves."""
        end = self._concluded_at + SHUTDOWN_GRACE_SECONDS
        return self.is_concluded and time.monotonic() > end

    def started(self, child: Child) -> None:
        """Let a worker prepare the search if none does; else let it wait, or train."""
        if self._measuring == child.name:
            self._measuring = None
        if not self.prepared and self._preparing in (None, child.name):
            self._preparing = child.name
            child.send("prepare", fresh=self.fresh, accept_changes=self.accept_changes)
            return
        self._waiting[child.name] = child
        self._continue()

    def receive(self, child: Child, message: Mapping[str, Any]) -> None:
        """React to what a worker asks for or has done."""
        reactions: dict[str, Callable[[], None]] = {
            "prepared": lambda: self._on_prepared(child),
            "next": lambda: self._on_next(child, message["holder"]),
            "recorded": lambda: self.scheduler.end(message["trial"]),
            "trained": lambda: self._on_trained(child),
            "measured": lambda: self._on_measured(child),
        }
        if (react := reactions.get(message["what"])) is not None:
            react()

    def can_give_up(self, worker: str) -> bool:
        """Return False for the worker that prepares: the next one would die of the same."""
        return self.prepared or worker != self._preparing

    def give_up(self, worker: str) -> None:
        """Let others run the trials of a worker that kept dying, and do its work."""
        self._waiting.pop(worker, None)
        if self._measuring == worker:
            self._measuring = None
        self.scheduler.release(worker)
        self._continue()

    def _on_prepared(self, child: Child) -> None:
        self.prepared, self.fresh = True, False
        self._on_trained(child)

    def _on_next(self, child: Child, holder: str) -> None:
        trial = self.scheduler.next(holder)
        child.send("trial", trial=trial, complete=self.scheduler.complete)

    def _on_trained(self, child: Child) -> None:
        self._waiting[child.name] = child
        self._continue()

    def _on_measured(self, child: Child) -> None:
        self._to_measure = False
        self._on_trained(child)

    def _continue(self) -> None:
        """Give every waiting worker the next thing to do."""
        if self.prepared and self.scheduler.complete and self._to_measure is None:
            self._to_measure = complete_record(self.journal)
        if self._to_measure is False and not self._concluded_at:
            self._concluded_at = time.monotonic()
        for name, child in list(self._waiting.items()):
            if (order := self._next_order(name)) is not None:
                del self._waiting[name]
                child.send(**order)

    def _next_order(self, worker: str) -> dict[str, Any] | None:
        """Return the next message to a waiting worker; None if it must wait."""
        if not self.prepared:
            return None
        if not self.scheduler.complete:
            return {"what": "train"}
        if not self._to_measure:
            return {"what": "stop"}
        if self._measuring is not None or self.journal.best is None:
            return None  # the worker that measures may die
        self._measuring = worker
        best, trials = self.journal.best.trial, len(self.journal.by_number)
        return {"what": "measure", "best": best, "trials": trials}
