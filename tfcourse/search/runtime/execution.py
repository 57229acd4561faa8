"""The work of one process of a search: its trials, and all of a search in this process alone."""

from collections.abc import Callable, Collection
from pathlib import Path

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.engine.oracle import SearchOracle
from tfcourse.search.engine.tuner import CourseTuner, OnBegin, OnTrial
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.records.trial_source import TrialSource
from tfcourse.search.runtime.conclusion import complete_record, measure_best
from tfcourse.search.runtime.group_loop import run_groups
from tfcourse.search.runtime.preparation import prepare
from tfcourse.search.runtime.progress import SearchProgress
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal, TrialWriter
from tfcourse.search.strategies.proposals import Proposer
from tfcourse.search.strategies.study import Records
from tfcourse.search.trials.threads import use_threads
from tfcourse.search.trials.trial import TrialRunner
from tfcourse.search.trials.vectorized.group import GroupRunner
from tfcourse.search.trials.vectorized.group_size import group_sizes
from tfcourse.search.trials.vectorized.rule import should_vectorize
from tfcourse.types import Hyperparameters

__all__ = ["execute", "run_trials"]


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


def run_trials(
    source: TrialSource,
    propose: Callable[[int], Hyperparameters],
    runner: TrialRunner,
    directory: Path,
    on_trial: OnTrial,
    name: str = "main",
    on_begin: OnBegin | None = None,
    workers: int = 1,
    alone: Collection[int] = (),
) -> Effort:
    """Run trials until the source has none left, and return what that took.

    Args:
        source: The scheduler.
        propose: Returns the values of a trial.
        runner: Trains one.
        directory: The run directory.
        on_trial: Called with each trial's record and, if it completed, an object whose ``save``
            writes its model.
        name: The name of this process for the scheduler.
        on_begin: Called with the number and values of each trial before it begins.
        workers: The number of processes that share the trials.
        alone: The trials that must not be trained together with others.
    """
    config = runner.config
    if should_vectorize(config, runner.steps_of_epoch, workers=workers):
        sizes = group_sizes(config, workers)
        groups = GroupRunner(runner, sizes.group_size, workers)
        run_groups(source, propose, groups, sizes, on_trial, name, on_begin, alone)
        return groups.effort
    search = config.search
    oracle = SearchOracle(search.objective, config.direction, config.space, config.trials, source)
    CourseTuner(oracle, propose, runner.run, directory, on_trial, name, on_begin).search()
    return runner.effort
