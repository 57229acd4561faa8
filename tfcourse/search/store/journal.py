"""The record of a running search: workers write trials, the scheduler's process the tables."""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from itertools import takewhile

from tfcourse.errors import traceback_text
from tfcourse.search.config.architecture import architecture_of, is_builtin
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.pareto import leaders
from tfcourse.search.records.savable_model import SavableModel
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.scheduler.leases import Lease
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.earlier_runs import earlier_runs
from tfcourse.search.store.reading import write_json
from tfcourse.search.strategies.coarse_to_fine import rounds_on_record
from tfcourse.search.strategies.stopping import Stop, latest_end, mark_after, trials_that_count
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

    Attributes:
        good: The trials of which each may have been the best, or in the Pareto set, when it ended.
    """

    def __init__(self, config: SearchConfig, directory: RunDirectory) -> None:
        self.config, self.directory = config, directory
        self.good: list[TrialRecord] = []
        self._loadable: set[Hashable] = set()

    def add(self, record: TrialRecord, model: SavableModel | None) -> None:
        """Write a trial's record, after its model if that may become the best.

        With a target or a patience only trials of smaller numbers rule that out, as others may not
        count.

        With a builder of the user's, the first model of each architecture is loaded again: a trial
        whose model can't be loaded has failed.
        """
        # A trial that took too long was recorded as failed, and stays so.
        if self.directory.read_trial(record.trial) is not None:
            self.directory.forget_checkpoints(record.trial)
            return
        builder, kind = self.config.builder, architecture_of(record.values, self.config.builder)
        # The model of trial 0, if it could be built, was loaded in the preflight.
        is_loadable = is_builtin(builder) or record.trial == 0 or kind in self._loadable
        # The model first: a crash between the two runs this trial again, and loses nothing.
        if model is not None and not is_loadable:
            record = self._with_loadable_model(record, model)
        if model is not None and record.status != "failed":
            self._loadable.add(kind)
        is_wanted = self._may_lead(record) or self.config.search.checkpoints == "all"
        if model is not None and is_loadable and is_wanted:
            self.directory.write_model(model, record.trial)
        self.directory.write_trial(record)
        self.directory.forget_checkpoints(record.trial)
        if self._may_lead(record):
            self.good.append(record)

    def _may_lead(self, record: TrialRecord) -> bool:
        in_order = self.config.limits.by_score
        others = [r for r in self.good if r.trial < record.trial or not in_order]
        return any(r is record for r in leaders([*others, record], self.config.objectives))

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
        on_end: Called with the record of a trial that ends, and the best score so far.
        writes_leases: Whether to write the leases.
    """

    def __init__(
        self,
        config: SearchConfig,
        directory: RunDirectory,
        finished: Records,
        on_end: Callable[[TrialRecord, float | None], None],
        writes_leases: bool = False,
    ) -> None:
        self.config, self.directory, self.on_end = config, directory, on_end
        self.by_number = dict(finished)
        self.writes_leases = writes_leases
        self.earlier = earlier_runs(directory, finished)
        self.stop: Stop | None = None
        self.leaders: list[TrialRecord] = []  # the best one first
        self._next = 0  # the first trial that does not count yet, with a target or a patience
        self._count(finished)
        self.tables_due = 0.0
        self._memo = Memo()

    @property
    def best(self) -> TrialRecord | None:
        """The best trial of those that count."""
        return self.leaders[0] if self.leaders else None

    @property
    def trials_that_count(self) -> dict[int, TrialRecord]:
        """The trials on record that count; all of them until the search has ended."""
        return trials_that_count(self.by_number, self.stop)

    def recorded(self, trial: int) -> TrialRecord | None:
        """Return the record of a trial, as its worker wrote it."""
        return self.directory.read_trial(trial)

    def leases_changed(self, leases: Mapping[str, Lease]) -> None:
        """Write the leases, for a chief that takes over."""
        if self.writes_leases:
            fields = {holder: asdict(lease) for holder, lease in leases.items()}
            # Trials whose leases a power cut loses are run again.
            write_json(self.directory.leases, fields, durable=False)

    def ended(self, record: TrialRecord) -> None:
        """Take note of a trial that has ended: its model is kept if it is the best.

        With a target or a patience, a trial counts once all before it have ended. With several
        objectives the models of the Pareto set are kept.
        """
        self.by_number[record.trial] = record
        earlier = self.leaders
        ended = self._count([record.trial])
        for number in [*ended, *(leader.trial for leader in earlier if leader not in self.leaders)]:
            is_best = self.best is self.by_number[number]
            self.directory.keep_model(number, is_best, self._keeps(number))
        if time.monotonic() > self.tables_due:
            self.write_tables()
        self.on_end(record, None if self.best is None else self.best.score)

    def _keeps(self, trial: int) -> bool:
        """Return True for a trial whose model is kept beside the best one."""
        if self.config.search.checkpoints == "all":
            return True
        return len(self.config.objectives) > 1 and trial in [r.trial for r in self.leaders]

    def _count(self, trials: Iterable[int]) -> list[int]:
        """Let trials on record count for the best, and return those that do now."""
        limits, direction = self.config.limits, self.config.direction
        if limits.by_score:
            least = self.earlier.least
            end = latest_end(limits, direction, self.by_number, self.config.trials, least)
            trials = takewhile(self.by_number.__contains__, range(self._next, end))
        numbers = list(trials)
        self._next += len(numbers)
        for number in numbers:
            self.leaders = leaders([*self.leaders, self.by_number[number]], self.config.objectives)
        return numbers

    def write_tables(self) -> None:
        """Write the files made from the records: the tables and the rounds."""
        start = time.monotonic()
        records = mark_after((self.by_number[n] for n in sorted(self.by_number)), self.stop)
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

    def tidy(self, stop: Stop | None) -> None:
        """Write the last tables, and delete what only the running search needed.

        Args:
            stop: The limit that has ended the search; None if all trials have ended.
        """
        self.stop = stop
        self.leaders = leaders(self.trials_that_count.values(), self.config.objectives)
        self.write_tables()  # also where a kill came between the last trial and them
        if self.best is not None:
            self.directory.keep_model(self.best.trial, True, self._keeps(self.best.trial))
        self.directory.forget_running(self._keeps)
