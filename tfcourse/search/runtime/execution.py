"""A search in this process alone, and the trials of one process of a search."""

from collections.abc import Collection

from tfcourse.data.sparse import has_sparse
from tfcourse.data.splits import Split
from tfcourse.data.streams.stream import Stream
from tfcourse.notices import notice
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.engine.oracle import SearchOracle
from tfcourse.search.engine.tuner import CourseTuner
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_source import TrialSource
from tfcourse.search.results.tensorboard import writing_events
from tfcourse.search.runtime.conclusion import conclude
from tfcourse.search.runtime.group_loop import OnBegin, run_groups
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
    with notice(f"{config.search.name}: checking data and model", disable=not verbose):
        use_threads(config.search.threads)
        split = prepare(config, directory, finished, fresh, accept_changes)
    bar = SearchProgress(config, finished, disable=not verbose)
    on_end = writing_events(config, directory, finished, bar.advance)
    journal = SearchJournal(config, directory, finished, on_end)
    scheduler = Scheduler(config.study, finished, journal, limits=config.limits)
    efforts = {}
    if not scheduler.complete:
        try:
            with bar:
                efforts["main"] = run_trials(config, directory, finished, split, scheduler)
        except BaseException:
            journal.break_off()
            raise
    conclude(journal, scheduler, split)
    return efforts


def run_trials(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Records,
    split: Split,
    source: TrialSource,
    name: str = "main",
    on_begin: OnBegin = lambda trial, values: None,
    workers: int = 1,
    alone: Collection[int] = (),
) -> Effort:
    """Run trials until the scheduler has none left, and return what that took.

    Args:
        config: The search.
        directory: Its run directory.
        finished: The trials on record.
        split: The data.
        source: The scheduler.
        name: The name of this process for the scheduler, and in the records.
        on_begin: Called with the number and values of each trial before it begins.
        workers: The number of processes that share the trials, as far as it is known.
        alone: The trials that must not be trained together with others.

    Raises:
        WorkFailedError: The scheduler can't be reached.
    """
    propose = Proposer(config.study, finished, directory.read_trial)
    runner = TrialRunner(
        config, split, name, directory.checkpoints, propose.limits, directory.callbacks
    )
    write = TrialWriter(config, directory).add
    in_memory = not isinstance(split.train, Stream) and not has_sparse(split.train.x)
    if in_memory and should_vectorize(config, runner.steps_of_epoch, workers=workers):
        sizes = group_sizes(config, workers)
        groups = GroupRunner(runner, sizes.group_size, workers)
        run_groups(source, propose, groups, sizes, write, name, on_begin, alone)
        return groups.effort

    def run(trial: int) -> None:
        values = propose(trial)
        on_begin(trial, values)
        write(*runner.run(trial, values))

    oracle = SearchOracle(config.search.objective, config.direction, config.trials, source)
    CourseTuner(oracle, run, directory.path, name).search()
    return runner.effort
