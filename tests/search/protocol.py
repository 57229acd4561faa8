"""A search of several workers without processes: its real files, its scheduler, and its deaths.

The objective is a formula, and a model is a file of one entry. What may fail fails where a test
says it: a write on a full disk, a process between two writes.
"""

import errno
import json
import math
import os
import shutil
import zipfile
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tfcourse.search.config.load import parse_config
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.runtime.scheduling import scheduler_by_program
from tfcourse.search.scheduler.leases import Lease
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal, TrialWriter
from tfcourse.search.store.model_file import sign_model
from tfcourse.search.store.reading import read_json_as
from tfcourse.search.store.resume import finished_trials
from tfcourse.search.strategies.proposals import Proposer, propose

SPACE = {
    "learning_rate": {"low": 1e-3, "high": 1.0, "scale": "log"},
    "units": {"values": [4, 8, 16]},
}


def config_of(strategy, trials, limits=None, **settings):
    """The config of a search by a strategy over `SPACE`, with the settings of its own table."""
    own = {strategy: settings} if settings else {}
    search = {"name": "protocol", "objective": "val_loss", "strategy": strategy, "trials": trials}
    grid = {"learning_rate": {**SPACE["learning_rate"], "points": 3}} if strategy == "grid" else {}
    raw = {"search": {**search, **own, **(limits or {})}, "training": {"epochs": 9}}
    return parse_config({**raw, "space": {**SPACE, **grid}}, "protocol", None)


def record_of(trial, values, worker="nobody"):
    """The record of a trial: a valley of losses, and failures at its steep end."""
    rate = values["learning_rate"]
    if rate > 0.5:
        return TrialRecord(trial, "failed", values, worker=worker, message="ValueError: too steep")
    score = (math.log10(rate) + 2) ** 2 + abs(values["units"] - 8) / 16
    history = {"loss": [score + 1, score], "val_loss": [score + 1, score]}
    return TrialRecord(trial, "completed", values, score, 2, 0.5, worker, history=history)


def undisturbed(config):
    """The records of a search in which nothing happens, without a scheduler or a file."""
    records = {}
    for trial in range(config.trials):
        record = record_of(trial, propose(config.study, trial, records))
        records[trial] = TrialRecord(**json.loads(json.dumps(asdict(record))))
    return records


class Model:
    """Stands for a trained model."""

    def save(self, path):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("model.weights.h5", bytes(64))


class Disk:
    """The writes of a search, of which one may be refused: half of its bytes are then there."""

    def __init__(self):
        self.left = None  # the writes until the disk is full

    def is_full(self):
        if self.left is None:
            return False
        self.left -= 1
        return self.left < 0

    def refuse(self, path, half=None):
        if half is not None:
            half()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    @contextmanager
    def mounted(self, patch):
        """Let all writes go through this disk."""
        write_text, replace, copy, save = (
            Path.write_text,
            Path.replace,
            shutil.copyfile,
            Model.save,
        )

        def half_of(path, text):
            return lambda: write_text(path, text[: len(text) // 2], encoding="utf-8")

        def writing(path, text, **options):
            if self.is_full():
                self.refuse(path, half_of(path, text))
            return write_text(path, text, **options)

        def replacing(path, target):
            return self.refuse(path) if self.is_full() else replace(path, target)

        def copying(source, target):
            if self.is_full():
                self.refuse(target, half_of(Path(target), "PK"))
            return copy(source, target)

        def saving(model, path):
            if self.is_full():
                self.refuse(path, half_of(path, "PK"))
            save(model, path)

        def write_model(directory, model, trial):  # RunDirectory's own, but for importing Keras
            def write(path):
                model.save(path)
                sign_model(path, trial)

            directory.models.mkdir(exist_ok=True)
            from tfcourse.files import replace_atomically

            replace_atomically(directory.model_of(trial), write)

        with patch.context() as inner:
            inner.setattr(Path, "write_text", writing)
            inner.setattr(Path, "replace", replacing)
            inner.setattr(shutil, "copyfile", copying)
            inner.setattr(Model, "save", saving)
            inner.setattr(RunDirectory, "write_model", write_model)
            yield


class Chief:
    """The process with the scheduler, started on what is in the run directory.

    Args:
        config: The search.
        path: Its run directory.
        by_program: Whether workers get trials whose programs they have.
        keeps_leases: Whether workers of an earlier chief may still run their trials.
    """

    def __init__(self, config, path, by_program, keeps_leases):
        self.directory = directory = RunDirectory(path)
        finished = finished_trials(config, directory, forget=True)
        if not (directory.exists() and directory.has_whole_config()):
            directory.create(config.as_toml(), {"tfcourse": "0", "keras-tuner": "0"})
        if not keeps_leases:
            directory.remove_leftovers()
            directory.leases.unlink(missing_ok=True)
        self.told = []
        self.journal = SearchJournal(config, directory, finished, self.on_end, writes_leases=True)
        leases = read_json_as(directory.leases, dict[str, Lease])
        if by_program:
            self.scheduler = scheduler_by_program(config, finished, self.journal, leases)
        else:
            study, limits = config.study, config.limits
            self.scheduler = Scheduler(study, finished, self.journal, leases, limits=limits)
        self.finished = finished

    def on_end(self, record, best):
        self.told.append(record.trial)


class Worker:
    """A process that trains: what it holds in memory, which dies with it."""

    def __init__(self, config, chief, name):
        self.name = name
        self.propose = Proposer(config.study, chief.finished, chief.directory.read_trial)
        self.writer = TrialWriter(config, chief.directory)
        self.trial = None  # what it runs
        self.written = False  # whether that is on record, and the chief not told

    def write(self):
        record = record_of(self.trial, dict(self.propose(self.trial)), self.name)
        self.writer.add(record, Model() if record.status == "completed" else None)
        self.written = True
