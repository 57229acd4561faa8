"""The folder of a search for TensorBoard: ``tensorboard --logdir FOLDER``.

It has an event file for each trial, such as ``trial_0007/events.out.tfevents.tfcourse``, one with
the domains and metrics, and ``tfcourse.json``, which says whose it is. Each file is written as a
whole, has the time of its trial's record, and is written again if that changes: so that after a
crash nothing is missing or double.
"""

import logging
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tfcourse.errors import error_line
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.export_folder import check_folder, sign_folder
from tfcourse.search.results.search_record import SearchRecord
from tfcourse.search.space.parameters import Parameter, Range
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.identity import identity

__all__ = [
    "TensorBoardFolder",
    "folder_of",
    "folder_of_record",
    "write_events",
    "writing_events",
]

LOG = logging.getLogger("tfcourse")
EVENTS = "events.out.tfevents.tfcourse"

OnEnd = Callable[[TrialRecord, float | None], None]


@dataclass
class TensorBoardFolder:
    """The event files of one search.

    Attributes:
        path: The folder.
        directory: The run directory of the search.
        space: The parameters by name, with those that the strategy adds.
        objective: The name of the score.
        search: The search's identity, see `tfcourse.search.store.identity.identity`; None if it
            is not known.
        option: The name of the setting for messages.
    """

    path: Path
    directory: RunDirectory
    space: Mapping[str, Parameter]
    objective: str
    search: str | None
    option: str
    _tags: dict[str, None] = field(default_factory=dict)

    def check(self) -> None:
        """Raise InputError if the folder can't be made, or has something else in it."""
        check_folder(self.path, self.directory.path, self.search, self.option)

    def sync(self, records: Mapping[int, TrialRecord]) -> int:
        """Write the files that are missing or older than the record, and return their number.

        Those of other trials are removed.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        sign_folder(self.path, self.directory.path, self.search)
        for folder in self.path.glob("trial_*"):
            number = re.fullmatch(r"trial_(\d{4,})", folder.name)
            if number is not None and int(number[1]) not in records:
                with suppress(OSError):
                    (folder / EVENTS).unlink(missing_ok=True)
                    folder.rmdir()
        return sum(self.add(record) for _, record in sorted(records.items()))

    def add(self, record: TrialRecord) -> bool:
        """Write a trial's file if it is missing or older than the record; return True if it was."""
        from tfcourse.search.results.event_files import experiment_file, scalars_of, trial_file

        # A failed trial may lack metrics; those of the first other trial are all there are.
        tags = dict.fromkeys(scalars_of(record, self.objective))
        if record.status == "completed" and not tags.keys() <= self._tags.keys():
            self._tags |= tags
            data = experiment_file(self.space, self.objective, self._tags)
            file = self.path / EVENTS
            if not file.is_file() or file.read_bytes() != data:
                _write(file, data, 0)
        file = self.path / f"trial_{record.trial:04d}" / EVENTS
        time = self.directory.record_of(record.trial).stat().st_mtime_ns
        if file.is_file() and file.stat().st_mtime_ns == time:
            return False
        _write(file, trial_file(record, self.space, self.objective, time / 1e9), time)
        return True


def folder_of(config: SearchConfig, directory: RunDirectory) -> TensorBoardFolder | None:
    """Return the folder of ``[search] tensorboard``; None without it."""
    if config.search.tensorboard is None:
        return None
    space = config.space
    if config.search.strategy == "hyperband":
        space = _with_epochs(space, config.training.epochs)
    return TensorBoardFolder(
        Path(config.search.tensorboard),
        directory,
        space,
        config.search.objective,
        identity(config.as_tables()),
        "[search] tensorboard",
    )


def folder_of_record(record: SearchRecord, path: Path, option: str) -> TensorBoardFolder:
    """Return a folder for a search on record.

    Args:
        record: The search.
        path: The folder.
        option: The name of the option, for messages.
    """
    space, tables = record.space, record.tables
    # Without a config the space is that of the trials' values.
    if record.planned is not None and tables["search"].get("strategy") == "hyperband":
        space = _with_epochs(space, tables["training"]["epochs"])
    directory = RunDirectory(record.directory)
    return TensorBoardFolder(path, directory, space, record.objective, record.identity, option)


def _with_epochs(space: Mapping[str, Parameter], epochs: int) -> dict[str, Parameter]:
    """Return a space with the epochs that hyperband gives to its trials.

    Not with the trials that they continue: HParams' parallel coordinates leave out trials without
    a value.
    """
    return {**space, "epochs": Range("int", 1, epochs, 1)}


def write_events(
    config: SearchConfig, directory: RunDirectory, records: Mapping[int, TrialRecord]
) -> None:
    """Write the event files of trials that are missing or old, if the config asks for them.

    A disk that can't be written is a warning: the record has all of the search.
    """
    folder = folder_of(config, directory)
    if folder is not None:
        try:
            folder.sync(records)
        except OSError as error:
            LOG.warning("%s: %s", folder.option, error_line(error))


def writing_events(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Mapping[int, TrialRecord],
    on_end: OnEnd,
) -> OnEnd:
    """Return ``on_end``, which also writes event files if the config asks for them.

    Args:
        config: The search.
        directory: Its run directory.
        finished: The trials of earlier runs.
        on_end: Called with the record of a trial that ends, and the best score so far.
    """
    folder = folder_of(config, directory)
    return on_end if folder is None else _LiveEvents(folder, finished, on_end)


class _LiveEvents:
    """Writes the event files of a search while it runs.

    Args:
        folder: The folder.
        finished: The trials of earlier runs.
        on_end: Called after each trial, as this.
    """

    def __init__(
        self, folder: TensorBoardFolder, finished: Mapping[int, TrialRecord], on_end: OnEnd
    ) -> None:
        self._folder, self._on_end = folder, on_end
        self._waiting: dict[int, TrialRecord] | None = dict(finished)
        self._failed = False

    def __call__(self, record: TrialRecord, best: float | None) -> None:
        """Write a trial that is on record, with the first one also those of earlier runs."""
        if not self._failed:
            try:
                if self._waiting is not None:
                    self._folder.sync({**self._waiting, record.trial: record})
                    self._waiting = None
                else:
                    self._folder.add(record)
            except OSError as error:
                # The record has the trial, and the end of the search writes what is missing.
                self._failed = True
                LOG.warning("%s: %s", self._folder.option, error_line(error))
        self._on_end(record, best)


def _write(file: Path, data: bytes, time: int) -> None:
    """Write a file as a whole with its time, in ns.

    Not with `tfcourse.files.replace_atomically`: TensorBoard would read its temporary file too.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name("part")
    part.write_bytes(data)
    os.utime(part, ns=(time, time))
    part.replace(file)
