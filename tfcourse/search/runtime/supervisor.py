"""The parent of a search's processes: starts them, starts the dead again, and ends them all."""

import logging
import os
import queue
import tempfile
import time
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.config.time_limits import preparation_limit
from tfcourse.search.records.effort import Effort
from tfcourse.search.runtime.deadlines import (
    Preparing,
    Running,
    preparation_error,
)
from tfcourse.search.runtime.failures import CHIEF, record_failure, told_error, why_given_up
from tfcourse.search.runtime.process import Child, how_it_ended
from tfcourse.search.runtime.resources import WorkerSlot, cores, environment, gpus
from tfcourse.search.runtime.worker_pool import Display, WorkerPool
from tfcourse.search.store.directory import RunDirectory

__all__ = ["Supervisor"]

LOG = logging.getLogger("tfcourse")
TICK = 0.1
# How often the same thing may kill a process before it is given up.
MAX_RESTARTS = 3
SHUTDOWN_GRACE_SECONDS = 1.0


class Supervisor:
    """Runs a pool to its end.

    A worker that dies is started again under its name, and the chief hands it its trial again. A
    trial that killed three of them, or took too long, is recorded as failed. A chief that dies is
    started again on its port.

    Args:
        pool: The processes.
        display: Shows what they do.
    """

    def __init__(self, pool: WorkerPool, display: Display) -> None:
        self.pool, self.display = pool, display
        self.directory = RunDirectory(pool.out / pool.config.search.name)
        self.heard: queue.Queue[tuple[Child, dict[str, Any] | None]] = queue.Queue()
        self.children: dict[str, Child] = {}
        self.address = pool.chief
        self.port, self.fresh = 0, pool.fresh
        self.running: dict[str, list[Running]] = {}
        self.preparing: dict[str, Preparing] = {}
        self.too_slow: dict[str, InputError] = {}  # of those that were ended for it
        self.deaths: dict[str | int, int] = {}  # by process, or by the trial that it ran
        self.done: set[str] = set()
        self.ended_at = 0.0
        self.errors: dict[str, dict[str, Any]] = {}
        self.efforts: dict[str, Effort] = {}

    def run(self) -> None:
        """Starts the pool and waits for its end.

        Raises:
            InputError: What a child says of the input.
            SearchFailedError: Every trial failed.
            WorkFailedError: The chief, or all workers, kept dying.
        """
        with tempfile.TemporaryDirectory(prefix="tfcourse-") as logs:
            self.logs = Path(logs)
            try:
                if self.pool.chief is None:
                    self._start(CHIEF)
                for name in self.pool.workers:
                    self._start(name)
                while self.children and not self._over():
                    self._hear()
                    for child in self.children.values():
                        self._show_output(child)
                    self._end_slow_trials()
                    self._end_slow_preparation()
            finally:
                self._end_all()
                self.directory.forget_empty_logs(self.pool.workers)
        given_up = set(self.pool.workers) - self.done
        if not self.ended_at and (self.pool.chief is None or given_up):
            raise WorkFailedError(why_given_up(self.errors, given_up, self.directory))

    def _over(self) -> bool:
        """Whether the chief has concluded the search; who still runs has nothing to do."""
        return bool(self.ended_at) and time.monotonic() > self.ended_at + SHUTDOWN_GRACE_SECONDS

    def _start(self, name: str) -> None:
        config = self.pool.config
        settings = {
            "role": CHIEF if name == CHIEF else "worker",
            "name": name,
            "config": config.as_toml(),
            "origin": config.origin,
            "out": str(self.pool.out),
            "token": self.pool.token,
            "patience": self.pool.patience,
            "elsewhere": self.pool.chief is not None,
            "workers": len(self.pool.workers),
            # Of those that were trained together when a worker died, one did it.
            "alone": [cause for cause in self.deaths if isinstance(cause, int)],
        }
        if name == CHIEF:
            settings |= {"host": "127.0.0.1", "port": self.port, "fresh": self.fresh}
            settings |= {"accept_changes": self.pool.accept_changes}
            environ = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        else:
            workers = self.pool.workers
            # Of several workers that were started on a machine one by one, none knows the others.
            own = [] if self.pool.chief is not None else gpus(os.environ)
            threads = config.search.threads
            place = WorkerSlot(workers.index(name), len(workers), cores(), own)
            environ = environment(place, threads, os.environ)
        settings |= {"environ": environ}
        self.children[name] = Child(name, settings, self.logs / f"{name}.log", self.heard)
        if name != CHIEF and self.address is not None:
            self.children[name].tell({"address": self.address})

    def _hear(self) -> None:
        try:
            child, message = self.heard.get(timeout=TICK)
        except queue.Empty:
            return
        if self.children.get(child.name) is not child:
            return  # of one that is gone
        if message is None:
            self._ended(child)
            return
        name = child.name
        match message["what"]:
            case "serving":
                self._serving(message["port"])
            case "began":
                begun = Running(message["trial"], message["values"])
                self.running.setdefault(name, []).append(begun)
                self.display.began(name, begun.trial)
            case "recorded":
                self._recorded(name, message["trial"])
            case "ended":
                self.deaths.pop(CHIEF, None)
                self.display.advance(message["best"])
            case "done":
                self.done.add(name)
                if name == CHIEF:
                    self.ended_at = time.monotonic()
                elif "effort" in message:
                    self.efforts[name] = Effort(**message["effort"])
            case "warning":
                LOG.warning("%s", message["message"])
            case "error":
                self.errors[name] = message
            case "preparing":
                self.preparing[name] = Preparing(message["part"])
            case "prepared":
                self.preparing.pop(name, None)  # ended as too slow in this moment
            case "shows":
                child.output.show(message["begin"])
            case "logs":
                child.output.move(Path(message["path"]), message["begin"])

    def _serving(self, port: int) -> None:
        self.port, self.fresh = port, False
        self.preparing.pop(CHIEF, None)
        if self.address is None:
            self.address = f"127.0.0.1:{port}"
            for name, child in self.children.items():
                if name != CHIEF:
                    child.tell({"address": self.address})

    def _recorded(self, name: str, trial: int) -> None:
        self.running[name] = [r for r in self.running.get(name, []) if r.trial != trial]
        self.deaths.pop(name, None)
        self.deaths.pop(trial, None)
        self.display.ended(name, trial)

    def _ended(self, child: Child) -> None:
        """A child has ended: of itself, by an error that it told, or without a word."""
        name = child.name
        status = child.wait()
        del self.children[name]
        running = self.running.pop(name, [])
        self.preparing.pop(name, None)
        slow = self.too_slow.pop(name, None)
        self._show_output(child, ended=True)
        self.display.ended(name)
        if name in self.done or self.ended_at:
            return
        if (error := self.errors.pop(name, None)) is not None:
            raise told_error(error)
        reason = how_it_ended(status) if slow is None else "after too long a preparation"
        causes: list[str | int] = [r.trial for r in running] or [name]
        for cause in causes:
            self.deaths[cause] = self.deaths.get(cause, 0) + 1
        given_up = [r for r in running if self.deaths[r.trial] >= MAX_RESTARTS]
        for trial in given_up:
            said = f"The worker died {MAX_RESTARTS} times in this trial, the last time {reason}."
            said += child.output.place
            record_failure(self.directory, name, trial, said, child.output.end())
        if running or self.deaths[name] < MAX_RESTARTS:
            at = f" in trial {min(r.trial for r in running)}" if running else ""
            self.display.say(f"{name} ended{at} {reason}, and begins again.{child.output.place}")
            self._start(name)
        else:
            end = f"{reason}. {child.output.end()}".strip() if slow is None else str(slow)
            self.errors[name] = {"message": f"{end}{child.output.place}"}
            self._give_up(name)

    def _give_up(self, name: str) -> None:
        chief = self.children.get(CHIEF)
        if name == CHIEF or not any(n != CHIEF for n in self.children):
            for child in self.children.values():
                child.kill()
            self.children.clear()
        elif chief is not None:
            chief.tell({"release": name})

    def _end_slow_trials(self) -> None:
        timeout = self.pool.config.search.trial_timeout
        if timeout is None:
            return
        for name, running in [(n, r) for n, begun in self.running.items() for r in begun]:
            if time.monotonic() - running.since > timeout:
                child = self.children.pop(name)
                child.kill()
                child.wait()
                del self.running[name]
                self._show_output(child, ended=True)
                self.display.ended(name)
                said = f"Ended after trial_timeout = {timeout:g} s.{child.output.place}"
                record_failure(self.directory, name, running, said, child.output.end())
                self._start(name)

    def _end_slow_preparation(self) -> None:
        """The chief's is refused; a worker, which loads the data again, counts as dead."""
        limit = preparation_limit(self.pool.config.search.trial_timeout)
        for name, preparing in list(self.preparing.items()):
            if time.monotonic() - preparing.since > limit:
                del self.preparing[name]
                self.too_slow[name] = preparation_error(self.pool.config, preparing.part, limit)
                if name == CHIEF:
                    raise self.too_slow[name]
                self.children[name].kill()

    def _show_output(self, child: Child, ended: bool = False) -> None:
        for line in child.output.new_lines(ended):
            self.display.say(f"{child.name}: {line}")

    def _end_all(self) -> None:
        for child in self.children.values():
            child.kill()
        for child in self.children.values():
            child.wait()
            self._show_output(child, ended=True)
        self.children.clear()
