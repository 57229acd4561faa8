"""The record of a running search: workers write trials, the scheduler's process the tables."""

import time
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress

from tfcourse.errors import traceback_text
from tfcourse.search.config.architecture import architecture_of, is_builtin
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.savable_model import SavableModel
from tfcourse.search.records.trial_record import TrialRecord, rank
from tfcourse.search.scheduler.leases import Lease, write_leases
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.strategies.coarse_to_fine import rounds_on_record
from tfcourse.search.strategies.study import Memo, Records

__all__ = ["SearchJournal", "TrialWriter"]

SECONDS_BETWEEN_TABLES = 2.0
# The tables grow with the search: writing them takes at most this share of its time.
TABLES_SHARE = 0.05


class TrialWriter:
    """Writes the trials of one process, and the models that may become the best.

    Args:
        config: The search.
        directory: Its run directory.
    """

    def __init__(self, config: SearchConfig, directory: RunDirectory) -> None:
        self.config, self.directory = config, directory
        self.best: TrialRecord | None = None
        self._loadable: set[Hashable] = set()

    def add(self, record: TrialRecord, model: SavableModel | None) -> None:
        """Write a trial's record, after its model if none before it was better.

        With a builder of the user's, the first model of each architecture is loaded again: a trial
        whose model can't be loaded has failed.
        """
        # A trial that took too long was recorded as failed, and stays so.
        if self.directory.read_trial(record.trial) is not None:
            self.directory.forget_checkpoints(record.trial)
            return
        kind = architecture_of(record.values, self.config.builder)
        # The model of trial 0, if it could be built, was loaded in the preflight.
        if is_builtin(self.config.builder) or (record.trial == 0 and record.status == "completed"):
            self._loadable.add(kind)
        best = _better(self.best, record, self.config.direction)
        all_models = self.config.search.checkpoints == "all"
        # The model first: a crash between the two runs this trial again, and loses nothing.
        if model is not None and kind not in self._loadable:
            record = self._with_loadable_model(record, model)
            if record.status != "failed":
                self._loadable.add(kind)
            best = _better(self.best, record, self.config.direction)
        elif model is not None and (best is record or all_models):
            self.directory.write_model(model, record.trial)
        self.directory.write_trial(record)
        self.directory.forget_checkpoints(record.trial)
        self.best = best

    def _with_loadable_model(self, record: TrialRecord, model: SavableModel) -> TrialRecord:
        """Write a trial's model, load it again, and return its record: failed if that failed."""
        from tfcourse.models.saving import load_model, why_not_loadable

        path = self.directory.model_of(record.trial)
        try:
            self.directory.write_model(model, record.trial)
            load_model(path)
        except OSError:  # as on a full disk: no failure of the trial
            raise
        except Exception as error:
            path.unlink(missing_ok=True)
            return TrialRecord(
                trial=record.trial,
                status="failed",
                values=record.values,
                seconds=record.seconds,
                worker=record.worker,
                message=f"Its {why_not_loadable(error)}",
                history=record.history,
                traceback=traceback_text(),
            )
        return record


class SearchJournal:
    """The records of a running search in memory, and the files made from all of them.

    Args:
        config: The search.
        directory: Its run directory.
        finished: The trials that are already there.
        on_end: Called with the best score so far when a trial ends.
        writes_leases: Whether to write the leases.
    """

    def __init__(
        self,
        config: SearchConfig,
        directory: RunDirectory,
        finished: Records,
        on_end: Callable[[float | None], None],
        writes_leases: bool = False,
    ) -> None:
        self.config, self.directory, self.on_end = config, directory, on_end
        self.by_number = dict(finished)
        self.writes_leases = writes_leases
        ranking = rank(finished.values(), config.direction)
        self.best = ranking[0] if ranking else None
        self.tables_due = 0.0
        self._memo = Memo()
        self._all_models = config.search.checkpoints == "all"

    def recorded(self, trial: int) -> TrialRecord | None:
        """Return the record of a trial, as its worker wrote it."""
        return self.directory.read_trial(trial)

    def leases_changed(self, leases: Mapping[str, Lease]) -> None:
        """Write the leases, for a chief that takes over."""
        if self.writes_leases:
            write_leases(self.directory.leases, leases)

    def ended(self, record: TrialRecord) -> None:
        """Take note of a trial that has ended: its model is kept if it is the best."""
        self.best = _better(self.best, record, self.config.direction)
        self.by_number[record.trial] = record
        self.directory.keep_model(record.trial, self.best is record, self._all_models)
        if time.monotonic() > self.tables_due:
            self.write_tables()
        self.on_end(None if self.best is None else self.best.score)

    def write_tables(self) -> None:
        """Write the files made from the records: the tables and the rounds."""
        start = time.monotonic()
        records = [self.by_number[number] for number in sorted(self.by_number)]
        self.directory.write_tables(records, self.config.columns)
        if rounds := rounds_on_record(self.config.study, self.by_number, self._memo):
            self.directory.write_rounds(rounds)
        end = time.monotonic()
        self.tables_due = end + max(SECONDS_BETWEEN_TABLES, (end - start) / TABLES_SHARE)

    def break_off(self) -> None:
        """Write the tables after an interrupt or an error: they have all that is on record."""
        with suppress(OSError):  # the error that ended the search says it; they can be made again
            self.by_number = self.directory.read_trials() | self.by_number
            self.write_tables()

    def tidy(self) -> None:
        """Write the last tables, and delete what only the running search needed."""
        self.write_tables()  # also where a kill came between the last trial and them
        if self.best is not None:
            self.directory.keep_model(self.best.trial, True, self._all_models)
        self.directory.forget_running(self._all_models)


def _better(best: TrialRecord | None, record: TrialRecord, direction: str) -> TrialRecord | None:
    ranking = rank([record] if best is None else [best, record], direction)
    return ranking[0] if ranking else None
