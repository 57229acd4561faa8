"""The parent of a search's worker processes: starts them, restarts dead ones, ends them all."""

import logging
import math
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.config.time_limits import preparation_limit
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.runtime.conductor import Conductor
from tfcourse.search.runtime.deadlines import Preparing, Running, preparation_error
from tfcourse.search.runtime.worker_pool import Display, Launcher, W, WorkerPool
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.temporary_folders import noting_folders

__all__ = ["Supervisor"]

LOG = logging.getLogger("tfcourse")
TICK = 0.1
SHUTDOWN_GRACE_SECONDS = 1.0
# The number of deaths in a row after which a trial has failed, or a worker is given up.
MAX_RESTARTS = 3


class Supervisor(Generic[W]):
    """Runs worker processes until the search is over, or none of them is left.

    A worker that dies is started again under its name, with the same trial. A trial in which
    workers died three times, or that took too long, is recorded as failed.

    Args:
        pool: The workers.
        conductor: Tells them what to do.
        display: Shows what they do.
        launcher: Starts them.
    """

    def __init__(
        self, pool: WorkerPool, conductor: Conductor, display: Display, launcher: Launcher[W]
    ) -> None:
        self.pool, self.conductor, self.display = pool, conductor, display
        self.launcher = launcher
        self.directory = RunDirectory(pool.out / pool.config.search.name)
        self.children: dict[str, W] = {}
        self.running: dict[str, list[Running]] = {}
        self.preparing: dict[str, Preparing] = {}
        self.too_slow: dict[str, InputError] = {}  # of those that were ended for it
        self.deaths: Counter[str | int] = Counter()  # by worker, or by the trial that it ran
        self.finished: set[str] = set()
        self.given_up: dict[str, str] = {}  # the reason by worker
        self.errors: dict[str, Exception] = {}
        self.efforts: dict[str, Effort] = {}

    def run(self) -> None:
        """Start the workers and wait for the end.

        Raises:
            InputError: Data, builder or run directory do not fit.
            SearchFailedError: Every trial failed.
            WorkFailedError: All workers kept dying.
        """
        with (
            tempfile.TemporaryDirectory(prefix="tfcourse-") as logs,
            noting_folders(self.directory.path, [Path(logs), *self.launcher.folders]),
        ):
            self.logs = Path(logs)
            try:
                for name in self.pool.workers:
                    self._start(name)
                while self.children and not self._is_over:
                    self._receive()
                    for child in self.children.values():
                        self._show_output(child)
                    self._end_slow_trials()
                    self._end_slow_preparation()
            finally:
                self._end_all()
                for name in self.pool.workers:
                    self.directory.forget_empty_logs(name)
        if self.given_up and not self._is_concluded:
            name, reason = min(self.given_up.items())
            raise WorkFailedError(
                f"A process of the search kept dying: {name}, the last time {reason} The finished "
                f"trials are in {self.directory.path}; the same command continues from there."
            )

    @property
    def _is_concluded(self) -> bool:
        return self.conductor.concluded_at < math.inf

    @property
    def _is_over(self) -> bool:
        """True when the search is concluded, and workers had the time to end by themselves."""
        return time.monotonic() > self.conductor.concluded_at + SHUTDOWN_GRACE_SECONDS

    def _start(self, name: str) -> None:
        settings = {
            "name": name,
            "chief": self.pool.chief,
            "config": self.pool.config.as_toml(),
            "origin": self.pool.config.origin,
            "shared": self.pool.shared,
            "out": str(self.pool.out),
            "workers": len(self.pool.workers),
            # One of the trials that were trained together when a worker died was the cause.
            "alone": [cause for cause in self.deaths if isinstance(cause, int)],
        }
        child = self.launcher.start(settings, self.logs / f"{name}.log")
        self.children[name] = child
        self.conductor.started(child)

    def _receive(self) -> None:
        for child in self.launcher.ready(self.children.values(), TICK):
            if child.name in self.children:  # the end of another may have been that of all
                self._handle(child, child.receive())

    def _handle(self, child: W, message: Mapping[str, Any] | None) -> None:
        """React to a message of a process, or to its end."""
        if message is None:
            self._ended(child)
            return
        name = child.name
        match message["what"]:
            case "began":
                trial = Running(message["trial"], message["values"])
                self.running.setdefault(name, []).append(trial)
                self.display.began(name, trial.trial)
            case "recorded":
                self._recorded(name, message["trial"])
            case "trained":
                self.efforts[name] = message["effort"]
            case "done":
                self.finished.add(name)
            case "warning":
                LOG.warning("%s", message["message"])
            case "error":
                self.errors[name] = message["error"]
            case "preparing":
                self.preparing[name] = Preparing(message["part"])
            case "prepared" | "loaded":
                self.preparing.pop(name, None)  # ended as too slow in this moment
            case "shows":
                child.output.show(message["begin"])
            case "logs":
                child.output.move(message["path"], message["begin"])
        self.conductor.receive(child, message)

    def _recorded(self, name: str, trial: int) -> None:
        self.running[name] = [r for r in self.running.get(name, []) if r.trial != trial]
        del self.deaths[name], self.deaths[trial]
        self.display.ended(name, trial)

    def _ended(self, child: W) -> None:
        """Handle the end of a process: by itself, by an error that it sent, or without a word."""
        name = child.name
        running = self._remove(child)
        slow = self.too_slow.pop(name, None)
        if name in self.finished or self._is_concluded:
            return
        if name in self.errors:
            raise self.errors[name]
        reason = child.how_it_ended() if slow is None else "after too long a preparation"
        causes: list[str | int] = [r.trial for r in running] or [name]
        self.deaths.update(causes)
        for trial in [r for r in running if self.deaths[r.trial] >= MAX_RESTARTS]:
            message = f"The worker died {MAX_RESTARTS} times in this trial, the last time {reason}."
            self._record_failure(child, trial, message)
        if running or self.deaths[name] < MAX_RESTARTS:
            at = f" in trial {min(r.trial for r in running)}" if running else ""
            self.display.say(f"{name} ended{at} {reason}, and begins again.{child.output.place}")
            self._start(name)
        else:
            end = f"{reason}. {child.output.end()}".strip() if slow is None else str(slow)
            self.given_up[name] = f"{end}{child.output.place}"
            if not self.conductor.give_up(name):
                self._end_all()

    def _remove(self, child: W) -> list[Running]:
        """Wait for the end of a process, show its last lines, and return the trials that it ran."""
        child.how_it_ended()
        del self.children[child.name]
        self.preparing.pop(child.name, None)
        self._show_output(child, ended=True)
        self.display.ended(child.name)
        return self.running.pop(child.name, [])

    def _record_failure(self, child: W, running: Running, message: str) -> None:
        """Write the record of a trial that ended without one."""
        if self.directory.read_trial(running.trial) is not None:
            return  # it ended in the last moment
        record = TrialRecord(
            running.trial,
            "failed",
            running.values,
            seconds=round(time.monotonic() - running.since, 3),
            worker=child.name,
            message=f"{message}{child.output.place}",
            traceback=child.output.end(),
        )
        self.directory.write_trial(record)

    def _end_slow_trials(self) -> None:
        timeout = self.pool.config.search.trial_timeout
        if timeout is None:
            return
        for name, running in [(n, r) for n, trials in self.running.items() for r in trials]:
            if time.monotonic() - running.since > timeout:
                child = self.children[name]
                child.kill()
                self._remove(child)
                message = f"Ended after trial_timeout = {timeout:g} s."
                self._record_failure(child, running, message)
                self._start(name)

    def _end_slow_preparation(self) -> None:
        """Refuse data or a builder that takes too long; a worker that loads them again is dead."""
        limit = preparation_limit(self.pool.config.search.trial_timeout)
        for name, preparing in list(self.preparing.items()):
            if time.monotonic() - preparing.since > limit:
                del self.preparing[name]
                self.too_slow[name] = preparation_error(self.pool.config, preparing.part, limit)
                if not self.conductor.prepared:
                    raise self.too_slow[name]
                self.children[name].kill()

    def _show_output(self, child: W, ended: bool = False) -> None:
        for line in child.output.new_lines(ended):
            self.display.say(f"{child.name}: {line}")

    def _end_all(self) -> None:
        for child in self.children.values():
            child.kill()
        for child in self.children.values():
            child.how_it_ended()
            self._show_output(child, ended=True)
        self.children.clear()
