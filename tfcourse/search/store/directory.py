"""The run directory: a search's record, readable without tfcourse."""

import shutil
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tfcourse.deletion import delete_folder, real_path, remove_deleted
from tfcourse.files import read_file, remove_abandoned, replace_atomically, write_atomically
from tfcourse.search.records.savable_model import SavableModel
from tfcourse.search.records.trial_record import TrialRecord, csv_tables, parse_record, without_nan
from tfcourse.search.store.identity import identity
from tfcourse.search.store.model_file import add_classes, sign_model, trial_of_model
from tfcourse.search.store.reading import class_names, read_json, read_text, read_toml, write_json
from tfcourse.search.store.recognition import is_run_directory, trial_numbers
from tfcourse.search.store.rounds import parse_rounds
from tfcourse.search.store.summary import Summary, read_summary
from tfcourse.search.store.temporary_folders import remove_files_beside

__all__ = ["OFF_RECORD", "RunDirectory"]

# The key of `tfcourse.search.store.identity.identity` in the versions and the trials' files.
IDENTITY = "search"
ON_RECORD, OFF_RECORD = "json", "forgotten"  # the suffixes of the trials' files
WORTH_FLUSHING = 1.0  # seconds of a trial; shorter ones that a power cut loses run again


class RunDirectory:
    """The files of one search under ``path``; every write is atomic.

    ``config.toml`` (with all defaults), ``versions.json``, ``data.json`` (the data's shapes and
    hash, see `tfcourse.search.store.data_record`), ``code.json`` (hashes of the models' code, see
    `tfcourse.search.store.code_record`), ``trials/0007.json`` (a `TrialRecord` each),
    ``results.csv``, ``history.csv``, ``best.keras``, ``summary.json``, ``rounds.json`` of a search
    from coarse to fine, ``models/0007.keras`` with ``checkpoints = "all"`` or, with several
    objectives, of the Pareto set, and ``logs/w1.log`` (the output of a worker);
    ``callbacks/0007/`` has what callbacks of one's own write. The trials' files are the record,
    from which the tables are made.

    During the search also ``checkpoints/`` (of long trials), ``models/`` (that may become the
    best), ``trials/0007.forgotten`` (the earlier record of a trial that runs again) and, of a
    chief, ``claims.json`` (the worker of each running trial).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.versions = path / "versions.json"
        self.trials = path / "trials"
        self.results = path / "results.csv"
        self.history = path / "history.csv"
        self.models = path / "models"
        self.best = path / "best.keras"
        self.summary = path / "summary.json"
        self.rounds = path / "rounds.json"
        self.leases = path / "claims.json"
        self.checkpoints = path / "checkpoints"
        self.callbacks = path / "callbacks"
        self.logs = path / "logs"
        self._search: str | None = None

    def log_of(self, worker: str) -> Path:
        """Return the file with the output of a worker."""
        return self.logs / f"{worker}.log"

    def forget_empty_logs(self, worker: str = "*") -> None:
        """Remove the log of a worker that printed nothing, by default of each such worker."""
        for log in self.logs.glob(f"{worker}.log"):
            if not log.stat().st_size:
                log.unlink()
        with suppress(OSError):  # there are other logs, or none
            self.logs.rmdir()

    @property
    def names(self) -> set[str]:
        """The names of its parts."""
        files = {p.name for p in vars(self).values() if isinstance(p, Path) and p != self.path}
        return files | {"data.json", "code.json", "retest.csv", "report.html", "report"}

    def exists(self) -> bool:
        """Return True if it is a run directory, whole or in part, see `is_run_directory`."""
        return is_run_directory(self.path, self.names)

    def delete(self) -> None:
        """Delete it if it is a run directory, see `tfcourse.deletion.delete_folder`."""
        if self.exists():
            delete_folder(self.path)
        remove_deleted(self.path)

    def remove_leftovers(self) -> None:
        """Remove the temporary files of killed processes, while no process is writing."""
        for folder in (self.path, self.trials, self.models):
            remove_abandoned(folder)
        remove_files_beside(self.path)
        self.forget_empty_logs()
        remove_deleted(self.path)

    def create(self, config: str, versions: Mapping[str, str]) -> None:
        """Create the folder, and write the config and the versions."""
        real_path(self.path).mkdir(parents=True, exist_ok=True)
        self.trials.mkdir(parents=True, exist_ok=True)  # creates the "a" of "a/../b" too
        self._search = identity(tomllib.loads(config))
        write_json(self.versions, {**versions, IDENTITY: self._search})
        write_atomically(self.config, config)

    def identity(self) -> str | None:
        """Return the identity of the search; None if it can't be read."""
        versions = read_json(self.versions)
        value = versions.get(IDENTITY) if isinstance(versions, dict) else None
        return value if isinstance(value, str) else None

    def identities_of_trials(self) -> set[str | None]:
        """Return the identities in the trials' files, None for a file without one."""
        raw = (read_json(self.record_of(number)) for number in self.read_trials())
        return {entry.get(IDENTITY) for entry in raw if isinstance(entry, dict)}

    def has_whole_config(self) -> bool:
        """Return True if the config is the one that was written, and not damaged."""
        stored = read_toml(self.config)
        return stored is not None and self.identity() == identity(stored)

    def write_trial(self, record: TrialRecord) -> None:
        """Add a finished trial to the record."""
        fields = without_nan(asdict(record))
        self._search = self._search or self.identity()
        if self._search is not None:
            fields |= {IDENTITY: self._search}  # identifies the search if the other files are lost
        write_json(self.record_of(record.trial), fields, record.seconds >= WORTH_FLUSHING)
        self.record_of(record.trial, OFF_RECORD).unlink(missing_ok=True)

    def read_trial(self, trial: int) -> TrialRecord | None:
        """Return a finished trial; None if it isn't finished, or its file is damaged."""
        return parse_record(read_text(self.record_of(trial)), trial)

    def read_trials(self, suffix: str = ON_RECORD) -> dict[int, TrialRecord]:
        """Return the finished trials by number, without damaged files.

        Args:
            suffix: ``OFF_RECORD`` for the forgotten trials that have not been run again.
        """
        numbers = trial_numbers(self.trials, suffix)
        read = {n: parse_record(read_text(self.record_of(n, suffix)), n) for n in numbers}
        return {number: record for number, record in read.items() if record is not None}

    def forget_trial(self, trial: int) -> None:
        """Take a trial off the record, to be run again; until then its record can still be read."""
        self.record_of(trial).replace(self.record_of(trial, OFF_RECORD))

    def record_of(self, trial: int, suffix: str = ON_RECORD) -> Path:
        """Return the file of a trial's record, written when the trial ended."""
        return self.trials / f"{trial:04d}.{suffix}"

    def forget_checkpoints(self, trial: int) -> None:
        """Remove the checkpoints of a trial."""
        shutil.rmtree(self.checkpoints / f"{trial:04d}", ignore_errors=True)

    def forget_all_checkpoints(self) -> None:
        """Remove the checkpoints of all trials."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def forget_running(self, keeps: Callable[[int], bool]) -> None:
        """Remove the files that only a running search needs.

        Args:
            keeps: Returns True for a trial whose model stays in ``models/``.
        """
        self.leases.unlink(missing_ok=True)
        self.forget_all_checkpoints()
        for model in self.models.glob("*.keras"):
            if not (model.stem.isdecimal() and keeps(int(model.stem))):
                model.unlink()
        with suppress(OSError):  # there are some, or no folder
            self.models.rmdir()

    def write_tables(self, records: Iterable[TrialRecord], names: Sequence[str]) -> None:
        """Write ``results.csv``, a row a trial, and ``history.csv``, a row a trial and epoch."""
        results, history = csv_tables(records, names)
        write_atomically(self.results, results)
        write_atomically(self.history, history)

    def has_tables(self, records: Iterable[TrialRecord], names: Sequence[str]) -> bool:
        """Return True if the tables are those that `write_tables` writes for these records."""
        try:
            # As bytes: reading text would change line ends within values.
            contents = [*map(read_file, (self.results, self.history))]
        except OSError:
            return False
        return contents == [text.encode() for text in csv_tables(records, names)]

    def write_rounds(self, rounds: Sequence[Mapping[str, Any]]) -> None:
        """Write ``rounds.json``: each round's trials and the box that they were drawn from."""
        write_json(self.rounds, rounds)

    def read_rounds(self) -> list[dict[str, Any]]:
        """Return the rounds; none if the search has none, or they are damaged."""
        return parse_rounds(read_json(self.rounds))

    def write_model(self, model: SavableModel, trial: int) -> None:
        """Save the model of a trial, which may become the best one.

        Args:
            model: A Keras model, or an object that saves one by its ``save(path)``.
            trial: The trial's number.
        """
        import keras

        from tfcourse.models.saving import save_model

        classes = class_names(self.path)

        def save(path: Path) -> None:
            if isinstance(model, keras.Model):
                save_model(model, path)
            else:
                model.save(path)
            if classes is not None:
                add_classes(path, classes)
            sign_model(path, trial)

        self.models.mkdir(exist_ok=True)
        replace_atomically(self.model_of(trial), save)

    def model_of(self, trial: int) -> Path:
        """Return the file of a trial's model before the trial has ended."""
        return self.models / f"{trial:04d}.keras"

    def keep_model(self, trial: int, best: bool, beside: bool) -> None:
        """Make the model of a trial that has ended the best one, or delete it.

        With ``beside`` it stays in ``models/`` in any case.
        """
        model = self.model_of(trial)
        if best and trial_of_model(model) == trial:
            if beside:
                replace_atomically(self.best, lambda path: shutil.copyfile(model, path))
            else:
                model.replace(self.best)
        elif not beside:
            model.unlink(missing_ok=True)

    def best_trial(self) -> int | None:
        """Return the trial of the best model; None if there is no model, or it is damaged."""
        return trial_of_model(self.best)

    def has_model(self, trial: int) -> bool:
        """Return True if there is a model of the trial, as the best one or before it has ended."""
        return trial in map(trial_of_model, (self.model_of(trial), self.best))

    def write_summary(self, summary: Summary) -> None:
        """Write the summary."""
        write_json(self.summary, asdict(summary))

    def read_summary(self) -> Summary | None:
        """Return the summary; None if there is none that can be read."""
        return read_summary(self.summary)
