"""Reading a run directory again and again while a search writes it; nothing is written."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tfcourse.errors import InputError
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.search_record import SearchRecord, read_record
from tfcourse.search.results.snapshot import Snapshot, WorkerState
from tfcourse.search.scheduler.leases import Lease, worker_of
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.owner import Owner, find_owner
from tfcourse.search.store.reading import read_json_as

__all__ = ["Watcher"]

# Reading the whole record takes at most this share of the watcher's time.
SHARE_OF_TIME = 0.1
SECONDS_BETWEEN_TRIES = 0.2

# The time of the last change in ns, the size and the inode of a file.
_Stamp = tuple[int, int, int]


class Watcher:
    """A reader of a run directory that a search may be writing.

    A trial's file is read once, and the whole record when the files made at the search's end have
    changed. Neither TensorFlow nor the data nor a lock is needed.

    Args:
        path: The run directory.
        wait: True to wait while a search that has just begun prepares the directory.

    Raises:
        InputError: It is not a run directory.
    """

    def __init__(self, path: Path, wait: bool = True) -> None:
        self.directory = RunDirectory(path)
        self._trials: dict[int, tuple[_Stamp, TrialRecord | None]] = {}
        self._record = _first_record(path, wait)
        self._ends = self._stamps_of_end()
        self._owner_searched: bool | None = None
        self._next_reading = 0.0

    def look(self) -> Snapshot:
        """Return the search as it is now."""
        owner = find_owner(self.directory.path)  # before the record: a search ends with its lock
        trials = self._read_trials()
        self._read_record(owner)
        record, since = self._record, owner.since or 0.0
        finished = record.result is not None
        # Trials that a limit or a smaller space leaves out are not in the record.
        inside = {n: r for n, r in trials.items() if not finished or n in record.trials}
        recent = {n: self._trials[n][0][0] / 1e9 for n in inside}
        recent = {n: end for n, end in recent.items() if end >= since}
        running = owner.searches is not False
        workers = self._workers(inside, recent, since) if running else []
        in_progress = self._checkpoints(trials, since) if running else []
        return Snapshot(record, inside, workers, in_progress, owner, finished)

    def _read_trials(self) -> dict[int, TrialRecord]:
        """Return the trials on record; only files that are new or have changed are read."""
        current = {}
        for path in self.directory.trials.glob("*.json"):
            stamp = _stamp(path)
            if stamp is None or not path.stem.isdecimal() or len(path.stem) > 9:
                continue
            number = int(path.stem)
            entry = self._trials.get(number)
            if entry is None or entry[0] != stamp:
                entry = (stamp, self.directory.read_trial(number))
            current[number] = entry
        self._trials = dict(sorted(current.items()))
        return {number: r for number, (_, r) in self._trials.items() if r is not None}

    def _read_record(self, owner: Owner) -> None:
        """Read the whole record again if the search may have ended, or its config changed."""
        ends = self._stamps_of_end()
        stopped = owner.searches is False and self._owner_searched is not False
        start = time.monotonic()
        if not stopped and (ends == self._ends or start < self._next_reading):
            return
        with suppress(InputError):  # it is being written, or was deleted
            self._record = read_record(self.directory.path)
        self._ends, self._owner_searched = ends, owner.searches
        end = time.monotonic()
        self._next_reading = end + (end - start) / SHARE_OF_TIME

    def _stamps_of_end(self) -> list[_Stamp | None]:
        directory = self.directory
        files = [directory.config, directory.versions, directory.summary]
        # The tables are written throughout, and only matter once there is a summary.
        if directory.summary.exists():
            files += [directory.results, directory.history, directory.best]
        return list(map(_stamp, files))

    def _workers(
        self, trials: Mapping[int, TrialRecord], recent: Mapping[int, float], since: float
    ) -> list[WorkerState]:
        """Return the workers that leases, logs or trials of this run name."""
        stored = read_json_as(self.directory.leases, dict[str, Lease])
        running: dict[str, list[int]] = {}
        for holder, lease in (stored or {}).items():
            if lease.trial not in trials:
                running.setdefault(worker_of(holder), []).append(lease.trial)
        names = {*running, *(trials[number].worker for number in recent)}
        for log in self.directory.logs.glob("*.log"):
            stamp = _stamp(log)
            if stamp is not None and stamp[0] / 1e9 >= since:
                names.add(log.stem)
        states, now = [], time.time()
        for name in sorted(names, key=lambda name: (len(name), name)):
            ends = {end: n for n, end in recent.items() if trials[n].worker == name}
            last = max(ends) if ends else None
            runs = None if stored is None else sorted(running.get(name, []))
            states.append(
                WorkerState(
                    name,
                    len(ends),
                    None if last is None else ends[last],
                    None if last is None else max(now - last, 0.0),
                    runs,
                )
            )
        return states

    def _checkpoints(self, trials: Mapping[int, TrialRecord], since: float) -> Sequence[int]:
        """Return the trials without a record that have a checkpoint of this run."""
        numbers = []
        for folder in self.directory.checkpoints.glob("[0-9]*"):
            stamp = _stamp(folder)
            if stamp is not None and folder.name.isdecimal() and stamp[0] / 1e9 >= since:
                numbers.append(int(folder.name))
        return sorted(number for number in numbers if number not in trials)


def _first_record(path: Path, wait: bool) -> SearchRecord:
    """Return the record, once there is one if a process prepares it."""
    while True:
        owner = find_owner(path)
        try:
            return read_record(path)
        except InputError:
            if not (wait and owner.searches):
                raise
        time.sleep(SECONDS_BETWEEN_TRIES)


def _stamp(path: Path) -> _Stamp | None:
    """Return what changes when a file is replaced; None if there is none."""
    try:
        entry = path.stat()
    except OSError:
        return None
    return entry.st_mtime_ns, entry.st_size, entry.st_ino
