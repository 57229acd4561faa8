"""The parent of a search's processes: starts them, starts the dead again, and ends them all."""

import logging
import os
import queue
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.search.record.directory import RunDirectory
from tfcourse.search.record.effort import Effort
from tfcourse.search.record.outcome import SearchFailedError
from tfcourse.search.record.records import TrialRecord
from tfcourse.search.workers.crew import Crew, Display
from tfcourse.search.workers.process import Child, how_it_ended
from tfcourse.search.workers.surroundings import Place, cores, environment, gpus

__all__ = ["Supervisor"]

LOG = logging.getLogger("tfcourse")
TICK = 0.1
# How often the same thing may kill a process before it is given up.
DEATHS = 3
SECONDS_OF_FAREWELL = 1.0
CHIEF = "chief"


@dataclass
class _Running:
    """A trial under way."""

    trial: int
    values: Mapping[str, Any]
    since: float


class Supervisor:
    """Runs a crew to its end.

    A worker that dies is started again under its name, and the chief hands it its trial again. A
    trial that killed three of them, or took too long, is recorded as failed. A chief that dies is
    started again on its port.

    Args:
        crew: The processes.
        display: Shows what they do.
    """

    def __init__(self, crew: Crew, display: Display) -> None:
        self.crew, self.display = crew, display
        self.directory = RunDirectory(crew.out / crew.config.search.name)
        self.heard: queue.Queue[tuple[Child, dict[str, Any] | None]] = queue.Queue()
        self.children: dict[str, Child] = {}
        self.address = crew.chief
        self.port, self.fresh = 0, crew.fresh
        self.running: dict[str, list[_Running]] = {}
        self.deaths: dict[str | int, int] = {}  # by process, or by the trial that it ran
        self.done: set[str] = set()
        self.ended_at = 0.0
        self.errors: dict[str, dict[str, Any]] = {}
        self.efforts: dict[str, Effort] = {}

    def run(self) -> None:
        """Starts the crew and waits for its end.

        Raises:
            InputError: What a child says of the input.
            SearchFailedError: Every trial failed.
            WorkFailedError: The chief, or all workers, kept dying.
        """
        with tempfile.TemporaryDirectory(prefix="tfcourse-") as logs:
            self.logs = Path(logs)
            try:
                if self.crew.chief is None:
                    self._start(CHIEF)
                for name in self.crew.workers:
                    self._start(name)
                while self.children and not self._over():
                    self._hear()
                    self._end_slow_trials()
            finally:
                self._end_all()
        given_up = set(self.crew.workers) - self.done
        if not self.ended_at and (self.crew.chief is None or given_up):
            raise WorkFailedError(self._why(given_up))

    def _over(self) -> bool:
        """Whether the chief has concluded the search; who still runs has nothing to do."""
        return bool(self.ended_at) and time.monotonic() > self.ended_at + SECONDS_OF_FAREWELL

    def _start(self, name: str) -> None:
        config = self.crew.config
        settings = {
            "role": CHIEF if name == CHIEF else "worker",
            "name": name,
            "config": config.as_toml(),
            "origin": config.origin,
            "out": str(self.crew.out),
            "token": self.crew.token,
            "patience": self.crew.patience,
            "elsewhere": self.crew.chief is not None,
            "workers": len(self.crew.workers),
            # Of those that were trained together when a worker died, one did it.
            "alone": [cause for cause in self.deaths if isinstance(cause, int)],
        }
        if name == CHIEF:
            settings |= {"host": "127.0.0.1", "port": self.port, "fresh": self.fresh}
            settings |= {"accept_changes": self.crew.accept_changes}
            environ = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        else:
            workers = self.crew.workers
            # Of several workers that were started on a machine one by one, none knows the others.
            own = [] if self.crew.chief is not None else gpus(os.environ)
            threads = config.search.threads
            place = Place(workers.index(name), len(workers), cores(), own)
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
                begun = _Running(message["trial"], message["values"], time.monotonic())
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

    def _serving(self, port: int) -> None:
        self.port, self.fresh = port, False
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
        self.display.ended(name)
        if name in self.done or self.ended_at:
            return
        if (error := self.errors.pop(name, None)) is not None:
            raise _ERRORS.get(error["kind"], WorkFailedError)(error["message"])
        reason = how_it_ended(status)
        causes: list[str | int] = [r.trial for r in running] or [name]
        for cause in causes:
            self.deaths[cause] = self.deaths.get(cause, 0) + 1
        given_up = [r for r in running if self.deaths[r.trial] >= DEATHS]
        for trial in given_up:
            said = f"The worker died {DEATHS} times in this trial, the last time {reason}."
            self._record_failure(name, trial, said, child.end_of_log())
        if running or self.deaths[name] < DEATHS:
            self._start(name)
        else:
            self.errors[name] = {"message": f"{reason}. {child.end_of_log()}".strip()}
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
        timeout = self.crew.config.search.trial_timeout
        if timeout is None:
            return
        for name, running in [(n, r) for n, begun in self.running.items() for r in begun]:
            if time.monotonic() - running.since > timeout:
                child = self.children.pop(name)
                child.kill()
                child.wait()
                del self.running[name]
                self.display.ended(name)
                said = f"Ended after trial_timeout = {timeout:g} s."
                self._record_failure(name, running, said, child.end_of_log())
                self._start(name)

    def _record_failure(self, name: str, running: _Running, message: str, log: str) -> None:
        """Puts a trial on record that no worker could; the chief finds it there."""
        if self.directory.read_trial(running.trial) is not None:
            return  # it ended in the last moment
        seconds = round(time.monotonic() - running.since, 3)
        record = TrialRecord(running.trial, "failed", running.values, seconds=seconds)
        record = replace(record, worker=name, message=message, traceback=log)
        try:
            self.directory.write_trial(record)
        except OSError as error:
            raise WorkFailedError(f"{self.directory.path} can't be written: {error}.") from error

    def _end_all(self) -> None:
        for child in self.children.values():
            child.kill()
        for child in self.children.values():
            child.wait()
        self.children.clear()

    def _why(self, given_up: set[str]) -> str:
        told = [name for name in (CHIEF, *sorted(given_up)) if name in self.errors]
        last = f"{told[0]}, the last time {self.errors[told[0]]['message']}" if told else "one"
        return (
            f"A process of the search kept dying: {last} The finished trials are in "
            f"{self.directory.path}; the same command goes on from there."
        )


_ERRORS = {error.__name__: error for error in (InputError, WorkFailedError, SearchFailedError)}
