"""The process of a Ray cluster that trains trials.

Its run directory is a folder of its own on its machine: records and models are sent to the process
that began the search, which writes the search's run directory.
"""

import os
import pickle
import queue
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import Any, BinaryIO, NamedTuple

from filelock import FileLock, Timeout

from tfcourse.data.splits import Split
from tfcourse.errors import InputError
from tfcourse.quiet import quiet_start
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.ray.project_files import place_files
from tfcourse.search.runtime.child import redirect_output
from tfcourse.search.runtime.entry import sendable
from tfcourse.search.store.data_record import check_unchanged, data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.strategies.study import Records
from tfcourse.types import Hyperparameters

__all__ = ["Job", "TrialActor"]

Message = dict[str, Any]
# The driver learns after `timeout` seconds what a trial prints.
SECONDS_OF_A_CALL = 0.5
PREFIX, LOCK = "tfcourse-ray-", "lock"
# A folder may not have its lock for as long.
SECONDS_OF_A_START = 60.0


class Job(NamedTuple):
    """The search, as it is sent to its workers.

    Attributes:
        config: The pickled config.
        finished: The trials on record when the search began.
        files: The user's modules, see `tfcourse.search.ray.project_files`.
        folder: The folder of the process that began the search.
        data: ``data.json`` of the run directory, for a worker that loads the data itself.
    """

    config: bytes
    finished: Records
    files: Mapping[str, bytes]
    folder: str
    data: bytes


class TrialActor:
    """The trials of one worker in a thread, and the messages between it and the driver.

    Only the driver can call: the thread's messages wait here until it asks for them.
    """

    def __init__(self) -> None:
        self.from_driver: queue.Queue[Message] = queue.Queue()
        self._to_driver: queue.Queue[Message] = queue.Queue()
        self._log: BinaryIO | None = None

    def begin(self, settings: Mapping[str, Any], job: Job, split: Split | None) -> None:
        """Begin to train.

        Args:
            settings: See `tfcourse.search.runtime.supervisor`.
            job: The search.
            split: Its data; None for data that is read batch by batch, which each worker loads.
        """
        arguments = (settings, job, split)
        threading.Thread(target=self._work, args=arguments, daemon=True).start()

    def put(self, message: Message) -> None:
        """Receive a message of the driver's."""
        self.from_driver.put(message)

    def receive(self) -> tuple[list[Message], bytes]:
        """Return the messages to the driver, and what was printed since the last call.

        It waits for the first of them, for at most half a second.
        """
        messages = []
        try:
            messages.append(self._to_driver.get(timeout=SECONDS_OF_A_CALL))
            while True:
                messages.append(self._to_driver.get_nowait())
        except queue.Empty:
            return messages, b"" if self._log is None else self._log.read()

    def send(self, what: str, **message: object) -> None:
        """Send a message to the driver."""
        self._to_driver.put({"what": what, **message})

    def _work(self, settings: Mapping[str, Any], job: Job, split: Split | None) -> None:
        try:
            with own_folder() as folder:
                config = self._start(job, folder)
                split = load_same(config, job.data, folder) if split is None else split
                self._train(settings, config, job.finished, split, folder)
        except Exception as raised:
            self.send("error", error=sendable(raised))
        else:
            self.send("done")

    def _start(self, job: Job, folder: Path) -> SearchConfig:
        """Import what the trials need, redirect the output, and return the config."""
        place_files(job.files, folder / "project")
        os.chdir(job.folder if Path(job.folder).is_dir() else folder / "project")
        sys.path.append(str(Path.cwd()))  # after the project's files
        with quiet_start():
            import tfcourse.search.runtime.execution  # noqa: F401  (before the log begins)
        log = folder / "output.log"
        redirect_output(log)
        self._log = log.open("rb")  # open, as the last output is read when the folder is gone
        config: SearchConfig = pickle.loads(job.config)
        return config

    def _train(
        self,
        settings: Mapping[str, Any],
        config: SearchConfig,
        finished: Records,
        split: Split,
        folder: Path,
    ) -> None:
        """Train as often as the driver says."""
        from tfcourse.search.runtime.execution import run_trials

        def on_begin(trial: int, values: Hyperparameters) -> None:
            self.send("began", trial=trial, values=dict(values))

        directory = RunDirectory(folder / "run")
        directory.create(config.as_toml(), {})
        source = _DriversScheduler(self, directory)
        shared = (settings["workers"], settings["alone"])
        while self.from_driver.get()["what"] == "train":
            effort = run_trials(
                config, directory, finished, split, source, settings["name"], on_begin, *shared
            )
            self.send("trained", effort=effort)


class _DriversScheduler:
    """The scheduler of the driver, as its worker sees it.

    Attributes:
        complete: Whether the driver said that no trial is left.
    """

    def __init__(self, actor: TrialActor, directory: RunDirectory) -> None:
        self.actor, self.directory, self.complete = actor, directory, False

    def next(self, holder: str) -> int | None:
        """Return the trial that the driver gives, once the records it depends on are here."""
        self.actor.send("next", holder=holder)
        answer = self.actor.from_driver.get()
        for record in answer["records"]:
            self.directory.write_trial(record)
        self.complete = answer["complete"]
        trial: int | None = answer["trial"]
        return trial

    def end(self, trial: int) -> None:
        """Send the record of a trial, with its model if that may become the best."""
        path = self.directory.model_of(trial)
        model = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        record = self.directory.read_trial(trial)
        self.actor.send("recorded", trial=trial, record=record, model=model)


def load_same(config: SearchConfig, record: bytes, folder: Path) -> Split:
    """Load the data on this machine.

    Args:
        config: The search.
        record: ``data.json`` of the search.
        folder: A folder of this process.

    Raises:
        InputError: It can't be loaded here, or it is not that of the search.
    """
    where = f"The worker on {socket.gethostname()}"
    try:
        split = load_split(config)
    except InputError as error:
        raise InputError(f"{where} can't load the data: {error}") from error
    (folder / "data.json").write_bytes(record)
    try:
        check_unchanged(folder, data_record(split), config)
    except InputError as error:
        raise InputError(f"{where} finds other data than the search's: {error}") from error
    return split


@contextmanager
def own_folder() -> Iterator[Path]:
    """Make a folder for this process, deleted at the end, and delete those of killed processes."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(Timeout, OSError):  # it is in use, or another user's
            if time.time() - path.stat().st_mtime > SECONDS_OF_A_START:
                with FileLock(path / LOCK, timeout=0):
                    rmtree(path, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with FileLock(folder / LOCK):
            (folder / "project").mkdir()
            yield folder
    finally:
        rmtree(folder, ignore_errors=True)
