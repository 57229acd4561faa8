"""The work of a search in this process: its missing trials, and the test of the best model."""

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.runtime.conclusion import complete_record, measure_best
from tfcourse.search.runtime.preparation import prepare
from tfcourse.search.runtime.progress import SearchProgress
from tfcourse.search.runtime.trial_loop import run_trials
from tfcourse.search.scheduler.proposer import Proposer
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal, TrialWriter
from tfcourse.search.strategies.study import Records
from tfcourse.search.trials.threads import use_threads
from tfcourse.search.trials.trial import TrialRunner

__all__ = ["execute"]


def execute(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Records,
    verbose: bool,
    fresh: bool,
    accept_changes: bool = False,
) -> dict[str, Effort]:
    """Run the trials that are not finished in this process, then conclude the search.

    Args:
        config: The search.
        directory: Its run directory.
        finished: The trials on record.
        verbose: Whether to show a progress bar.
        fresh: Whether to delete what the directory holds, once data and builder are checked.
        accept_changes: Whether to continue although the code of the models changed.

    Returns:
        What the trials took, by process.

    Raises:
        InputError: The data or the builder does not fit.
        SearchFailedError: Every trial failed.
    """
    use_threads(config.search.threads)
    split = prepare(config, directory, finished, fresh, accept_changes)

    def on_end(record: TrialRecord, best: float | None) -> None:
        bar.advance(best)

    journal = SearchJournal(config, directory, finished, on_end)
    bar = SearchProgress(config, finished, disable=not verbose)
    scheduler = Scheduler(config.study, finished, journal)
    efforts = {}
    if not scheduler.complete:
        runner = TrialRunner(config, split, checkpoints=directory.checkpoints)
        propose = Proposer(config.study, finished, journal.recorded)
        add = TrialWriter(config, directory).add
        try:
            with bar:
                efforts["main"] = run_trials(scheduler, propose, runner, directory.path, add)
        except BaseException:
            journal.break_off()
            raise
    if complete_record(journal) and journal.best is not None:
        trials = len(journal.by_number)
        measure_best(config, directory, journal.best.trial, trials, split.test)
    return efforts
