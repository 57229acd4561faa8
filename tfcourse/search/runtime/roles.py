"""The work of the worker processes of a search: for their parent, or for a chief elsewhere."""

import logging
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tfcourse.data.splits import Split
from tfcourse.errors import InputError
from tfcourse.search.config.load import parse_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.engine.rpc import RemoteScheduler, SearchOverError
from tfcourse.search.records.trial_source import TrialSource
from tfcourse.search.results.completion import complete_result
from tfcourse.search.runtime.child import Parent, redirect_output
from tfcourse.search.runtime.conclusion import measure_best
from tfcourse.search.runtime.execution import run_trials
from tfcourse.search.runtime.preparation import prepare
from tfcourse.search.runtime.shared_objects import SharedObjects
from tfcourse.search.store.code_record import check_same_code, code_record
from tfcourse.search.store.data_record import check_unchanged, data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.resume import finished_trials
from tfcourse.types import Hyperparameters

__all__ = ["check_shared", "work"]

OTHER_CODE = (
    "A worker needs the code that the search continues with: give it the chief's, or run the "
    "search's command again, with --accept-changes if it is to continue with today's."
)


class _Worker:
    """The search that a worker process works on, and what it reports to its parent."""

    def __init__(self, settings: Mapping[str, Any], parent: Parent) -> None:
        self.settings, self.parent, self.name = settings, parent, str(settings["name"])
        raw = tomllib.loads(settings["config"])
        shared: SharedObjects | None = settings["shared"]
        objects = {} if shared is None else shared.arguments()
        self.config: SearchConfig = parse_config(raw, settings["origin"], Path.cwd(), **objects)
        self.directory = RunDirectory(Path(settings["out"]) / self.config.search.name)

    def log_output(self) -> None:
        """Send what is printed from now on to the worker's log in the run directory."""
        log = self.directory.log_of(self.name)
        log.parent.mkdir(exist_ok=True)
        self.parent.send("logs", path=log, begin=redirect_output(log))

    def prepare(self, fresh: bool, accept_changes: bool) -> Split:
        """Prepare the search, and return its data."""

        class Forward(logging.Handler):
            """Sends warnings to the parent, which shows them."""

            def emit(self, record: logging.LogRecord) -> None:
                parent.send("warning", message=record.getMessage())

        def begins(part: str) -> None:
            parent.send("preparing", part=part)

        parent, config, directory = self.parent, self.config, self.directory
        parent.send("shows", begin=os.fstat(1).st_size)
        handler = Forward(logging.WARNING)
        logging.getLogger("tfcourse").addHandler(handler)
        try:
            finished = {} if fresh else finished_trials(config, directory)
            split = prepare(config, directory, finished, fresh, accept_changes, begins)
        finally:
            logging.getLogger("tfcourse").removeHandler(handler)
        self.log_output()
        parent.send("prepared")
        return split

    def load(self) -> Split:
        """Return the data of a search that another process has prepared.

        Raises:
            InputError: Data or code are not what the search began with.
        """
        config, path = self.config, self.directory.path
        self.log_output()
        self.parent.send("preparing", part="data")
        split = load_split(config)
        check_unchanged(path, data_record(split), config)
        check_same_code(path, code_record(config), OTHER_CODE)
        self.parent.send("loaded")
        return split

    def train(self, source: TrialSource, split: Split) -> None:
        """Train until the scheduler has no trial left."""

        def on_begin(trial: int, values: Hyperparameters) -> None:
            self.parent.send("began", trial=trial, values=dict(values))

        config, directory, settings = self.config, self.directory, self.settings
        finished = finished_trials(config, directory)
        shared = (settings["workers"], settings["alone"])
        effort = run_trials(
            config, directory, finished, split, source, self.name, on_begin, *shared
        )
        self.parent.send("trained", effort=effort)


class _ParentsScheduler:
    """The scheduler in the parent process, as its worker sees it.

    Attributes:
        complete: Whether the parent said that no trial is left.
    """

    def __init__(self, parent: Parent) -> None:
        self.parent, self.complete = parent, False

    def next(self, holder: str) -> int | None:
        self.parent.send("next", holder=holder)
        answer = self.parent.receive()
        self.complete = answer["complete"]
        trial: int | None = answer["trial"]
        return trial

    def end(self, trial: int) -> None:
        self.parent.send("recorded", trial=trial)


class _ChiefsScheduler(RemoteScheduler):
    """The scheduler of a chief on another machine, as its worker sees it."""

    def __init__(self, worker: _Worker) -> None:
        chief = worker.settings["chief"]
        super().__init__(chief.address, chief.token, worker.name, chief.patience, chief.authorities)
        self.worker = worker

    def end(self, trial: int) -> None:
        self.worker.parent.send("recorded", trial=trial)  # the chief may not be reached for long
        super().end(trial)

    def is_over(self) -> bool:
        config, directory = self.worker.config, self.worker.directory
        return complete_result(config, directory, finished_trials(config, directory)) is not None


def work(settings: Mapping[str, Any], parent: Parent) -> None:
    """Do the work of a worker process.

    Args:
        settings: See `tfcourse.search.runtime.supervisor`.
        parent: The parent, which watches over the process.
    """
    worker = _Worker(settings, parent)
    if settings["chief"] is None:
        _work_for_parent(worker)
    else:
        _work_for_chief(worker)
    parent.send("done")


def _work_for_parent(worker: _Worker) -> None:
    """Do what the parent says: prepare the search, train trials, measure the best model."""
    split: Split | None = None
    while (message := worker.parent.receive())["what"] != "stop":
        if message["what"] == "prepare":
            split = worker.prepare(message["fresh"], message["accept_changes"])
            continue
        split = worker.load() if split is None else split
        if message["what"] == "train":
            worker.train(_ParentsScheduler(worker.parent), split)
        else:
            measure_best(worker.config, worker.directory, message["best"], split)
            worker.parent.send("measured")


def _work_for_chief(worker: _Worker) -> None:
    """Train the trials that a chief on another machine assigns."""
    scheduler = _ChiefsScheduler(worker)
    with suppress(SearchOverError):
        check_shared(worker.config, worker.directory, scheduler)
        split = worker.load()
        scheduler.start_signs()
        worker.train(scheduler, split)


def check_shared(config: SearchConfig, directory: RunDirectory, scheduler: RemoteScheduler) -> None:
    """Refuse a worker whose run directory, or config, is not that of the chief.

    Raises:
        InputError: It is not.
    """
    scheduler.reach()  # from then on the chief has made the directory
    if not directory.path.is_dir():
        raise InputError(
            f"{directory.path} is not there, where the chief at {scheduler.address} keeps its run "
            "directory. Put it on storage that both share, and give both the same --out."
        )
    finished_trials(config, directory)
