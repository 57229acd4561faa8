"""The work of the worker processes of a search: for their parent, or for a chief elsewhere."""

import logging
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tfcourse.data.splits import Split
from tfcourse.errors import InputError
from tfcourse.search.config.load import parse_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.engine.rpc import RemoteScheduler, SearchOverError
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.records.trial_source import TrialSource
from tfcourse.search.results.completion import complete_result
from tfcourse.search.runtime.child import Parent, redirect_output
from tfcourse.search.runtime.conclusion import measure_best
from tfcourse.search.runtime.preparation import prepare
from tfcourse.search.runtime.worker import load_same_data, work
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.resume import finished_trials
from tfcourse.types import Hyperparameters

__all__ = ["ROLES", "check_shared", "work_for_chief", "work_for_parent"]


class _Child:
    """The search that a worker process works on, and what it reports to its parent."""

    def __init__(self, settings: Mapping[str, Any], parent: Parent) -> None:
        self.settings, self.parent, self.name = settings, parent, str(settings["name"])
        raw = tomllib.loads(settings["config"])
        self.config: SearchConfig = parse_config(raw, settings["origin"], Path.cwd())
        self.directory = RunDirectory(Path(settings["out"]) / self.config.search.name)

    def log_output(self) -> None:
        """Send what is printed from now on to the worker's log in the run directory."""
        log = self.directory.log_of(self.name)
        log.parent.mkdir(exist_ok=True)
        self.parent.send("logs", path=str(log), begin=redirect_output(log))

    def load(self) -> Split:
        self.parent.send("preparing", part="data")
        split = load_same_data(self.config, self.directory)
        self.parent.send("loaded")
        return split

    def train(self, source: TrialSource, split: Split) -> None:
        def on_begin(trial: int, values: Hyperparameters) -> None:
            self.parent.send("began", trial=trial, values=dict(values))

        def on_end(record: TrialRecord) -> None:
            self.parent.send("recorded", trial=record.trial)

        config, directory = self.config, self.directory
        shared = (self.settings["workers"], self.settings["alone"])
        effort = work(config, directory, source, split, self.name, on_begin, on_end, *shared)
        self.parent.send("trained", effort=asdict(effort))


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
        """Do nothing: the parent knows it from the message that the trial is on record."""


def work_for_parent(settings: Mapping[str, Any], parent: Parent) -> None:
    """Do what the parent says: prepare the search, train trials, measure the best model.

    Args:
        settings: See `tfcourse.search.runtime.supervisor`.
        parent: The parent, which has the scheduler.
    """
    child = _Child(settings, parent)
    split: Split | None = None
    while (message := parent.receive())["what"] != "stop":
        if message["what"] == "prepare":
            split = _prepare(child, message["fresh"], message["accept_changes"])
            continue
        if split is None:
            child.log_output()
            split = child.load()
        if message["what"] == "train":
            child.train(_ParentsScheduler(parent), split)
        else:
            best, trials = message["best"], message["trials"]
            measure_best(child.config, child.directory, best, trials, split.test)
            parent.send("measured")
    parent.send("done")


def _prepare(child: _Child, fresh: bool, accept_changes: bool) -> Split:
    class Forward(logging.Handler):
        """Sends warnings to the parent, which shows them."""

        def emit(self, record: logging.LogRecord) -> None:
            parent.send("warning", message=record.getMessage())

    parent, config, directory = child.parent, child.config, child.directory
    parent.send("shows", begin=os.fstat(1).st_size)
    handler = Forward(logging.WARNING)
    logging.getLogger("tfcourse").addHandler(handler)
    try:
        finished = {} if fresh else finished_trials(config, directory)
        split = prepare(
            config,
            directory,
            finished,
            fresh,
            accept_changes,
            lambda part: parent.send("preparing", part=part),
        )
    finally:
        logging.getLogger("tfcourse").removeHandler(handler)
    child.log_output()
    parent.send("prepared")
    return split


def work_for_chief(settings: Mapping[str, Any], parent: Parent) -> None:
    """Train the trials that a chief on another machine serves.

    Args:
        settings: See `tfcourse.search.runtime.supervisor`.
        parent: The parent, which watches over the process.
    """
    child = _Child(settings, parent)
    config, directory = child.config, child.directory

    def is_over() -> bool:
        if not directory.path.is_dir():
            return False
        return complete_result(config, directory, finished_trials(config, directory)) is not None

    scheduler = RemoteScheduler(
        settings["address"], settings["token"], child.name, settings["patience"], is_over
    )
    with suppress(SearchOverError):
        check_shared(config, directory, scheduler)
        child.log_output()
        split = child.load()
        scheduler.start_signs()
        child.train(scheduler, split)
    parent.send("done")


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


ROLES = {"parent's": work_for_parent, "chief's": work_for_chief}
