"""The workers of a search on Ray, as the driver sees them: actors, their messages and ends."""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray

from tfcourse.console import one_line
from tfcourse.search.ray.cluster import Share
from tfcourse.search.ray.trial_actor import TrialActor
from tfcourse.search.runtime.output import Output
from tfcourse.search.store.directory import RunDirectory
from tfcourse.types import Hyperparameters

__all__ = ["RayActors", "RayWorker"]

# A call that waits for messages, one that brings one, and one to spare.
CALLS_AT_A_TIME = 3
LONGEST_REASON = 200


class RayWorker:
    """A worker on the cluster.

    Args:
        name: Its name.
        actor: Ray's handle of its `TrialActor`.
        log: The file here for what it prints.
        values_of: Returns the values of a trial.

    Attributes:
        call: The reference of the call that waits for its messages.
    """

    def __init__(
        self,
        name: str,
        actor: ray.actor.ActorHandle,
        log: Path,
        values_of: Callable[[int], Hyperparameters],
    ) -> None:
        self.name, self.output, self._actor, self._log = name, Output(log), actor, log
        self._values_of = values_of
        self._assigned: set[int] = set()  # the trials that it may have begun without a word
        self.output.move(log, log.stat().st_size if log.exists() else 0)
        self._messages: deque[Mapping[str, Any]] = deque()
        self._end: str | None = None
        self.call = actor.receive.remote()

    def send(self, what: str, **message: object) -> None:
        """Send it a message, unless it has ended."""
        if what == "trial" and isinstance(trial := message["trial"], int):
            self._assigned.add(trial)
        self._actor.put.remote({"what": what, **message})

    @property
    def has_news(self) -> bool:
        """True if it has a message that has been fetched, or has ended."""
        return bool(self._messages) or self._end is not None

    def fetch(self) -> None:
        """Take the result of `call`, and call again."""
        try:
            messages, printed = ray.get(self.call)
        except ray.exceptions.RayError as error:
            self._end = _in_words(error)
            # Its last messages are lost with it, but not the trial that may be the cause.
            self._messages.extend(
                {"what": "began", "trial": trial, "values": self._values_of(trial)}
                for trial in sorted(self._assigned)
            )
            return
        if printed:
            self._log.parent.mkdir(exist_ok=True)
            with self._log.open("ab") as file:
                file.write(printed)
        self._messages.extend(messages)
        self._assigned -= {m["trial"] for m in messages if m["what"] == "began"}
        if any(message["what"] in ("done", "error") for message in messages):
            self._end = "by itself"
        else:
            self.call = self._actor.receive.remote()

    def receive(self) -> Mapping[str, Any] | None:
        """Return its next message; None if it has ended."""
        if self._messages:
            return self._messages.popleft()
        self.kill()
        return None

    def kill(self) -> None:
        """End it at once."""
        self._end = self._end or "when it was told to"
        with suppress(Exception):  # it has ended, or the cluster is gone
            ray.kill(self._actor, no_restart=True)

    def how_it_ended(self) -> str:
        """Return how it ended, in words."""
        return self._end or "while it ran"


def _in_words(error: Exception) -> str:
    """Return the part of Ray's error about a lost actor that tells why."""
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reasons = [line for line in lines if "node" in line.lower() or "memory" in line.lower()]
    last = (reasons or lines or [type(error).__name__])[-1]
    return f"as Ray tells: {one_line(last, LONGEST_REASON)}"


class RayActors:
    """Starts workers on the cluster.

    Args:
        share: The share of a node of each.
        threads: The threads of an operation.
        job: Ray's reference of the `tfcourse.search.ray.trial_actor.Job`.
        split: Ray's reference of the data; None if each worker is to load it.
        directory: The run directory, with the logs.
        values_of: Returns the values of a trial.
    """

    folders: Sequence[Path] = ()

    def __init__(
        self,
        share: Share,
        threads: int,
        job: ray.ObjectRef,
        split: ray.ObjectRef | None,
        directory: RunDirectory,
        values_of: Callable[[int], Hyperparameters],
    ) -> None:
        self.job, self.split, self.directory = job, split, directory
        self.values_of = values_of
        self.options = {
            "num_cpus": share.cpus,
            "num_gpus": share.gpus,
            "max_concurrency": CALLS_AT_A_TIME,
            # The supervisor starts a lost one again, and counts the losses of each trial.
            "max_restarts": 0,
            "runtime_env": {"env_vars": _environment(share, threads)},
        }

    def start(self, settings: Mapping[str, Any], log: Path) -> RayWorker:
        """Start a worker where the cluster has a place; it may have to wait for one."""
        actor = ray.remote(TrialActor).options(**self.options).remote()
        actor.begin.remote(settings, self.job, self.split)
        name = settings["name"]
        return RayWorker(name, actor, self.directory.log_of(name), self.values_of)

    def ready(self, workers: Collection[RayWorker], timeout: float) -> Collection[RayWorker]:
        """Return those that have a message or have ended, after at most `timeout` seconds."""
        calls = {worker.call: worker for worker in workers if not worker.has_news}
        if len(calls) == len(workers):
            ray.wait([*calls], num_returns=1, timeout=timeout)
        if calls:
            ended, _ = ray.wait([*calls], num_returns=len(calls), timeout=0)
            for call in ended:
                calls[call].fetch()
        return [worker for worker in workers if worker.has_news]


def _environment(share: Share, threads: int) -> dict[str, str]:
    variables = {
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(max(int(share.cpus), 1)),
        "OMP_NUM_THREADS": str(threads),
    }
    if not share.gpus:
        variables["CUDA_VISIBLE_DEVICES"] = "-1"
    elif share.gpus < 1:
        variables["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    return variables
