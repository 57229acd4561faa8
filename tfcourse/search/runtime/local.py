"""A search in worker processes on this machine."""

from pathlib import Path

from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.records.effort import Effort
from tfcourse.search.results.tensorboard import writing_events
from tfcourse.search.runtime.conductor import LocalConductor
from tfcourse.search.runtime.processes import Processes
from tfcourse.search.runtime.progress import SearchProgress
from tfcourse.search.runtime.shared_objects import sharing
from tfcourse.search.runtime.supervisor import Supervisor
from tfcourse.search.runtime.worker_pool import WorkerPool
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.strategies.study import Records

__all__ = ["supervise"]


def supervise(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Records,
    workers: int,
    verbose: bool,
    fresh: bool,
    accept_changes: bool = False,
) -> dict[str, Effort]:
    """Run the trials that are not finished in worker processes, and conclude the search.

    Args:
        config: The search.
        directory: Its run directory.
        finished: The trials on record.
        workers: The number of processes that train.
        verbose: Whether to show the progress.
        fresh: Whether to delete what the directory holds, once data and builder are checked.
        accept_changes: Whether to continue although the code of the models changed.

    Returns:
        What the trials took by worker, since each was last started.

    Raises:
        InputError: The data or the builder does not fit.
        SearchFailedError: Every trial failed.
        WorkFailedError: The processes kept dying.
    """
    directory.leases.unlink(missing_ok=True)  # whoever ran those trials is dead
    bar = SearchProgress(config, finished, disable=not verbose)
    on_end = writing_events(config, directory, finished, bar.advance)
    journal = SearchJournal(config, directory, finished, on_end)
    conductor = LocalConductor(config, finished, journal, fresh, accept_changes)
    # With all trials on record, one worker checks the data and measures the best model.
    count = 1 if conductor.scheduler.complete else workers
    names = tuple(f"w{number + 1}" for number in range(count))
    out = Path(directory.path).parent
    try:
        with sharing(config, directory) as shared, bar:
            pool = WorkerPool(config, out, names, shared=shared)
            supervisor = Supervisor(pool, conductor, bar, Processes(pool))
            supervisor.run()
    except BaseException:
        if conductor.prepared and directory.exists():
            journal.break_off()
        raise
    return dict(sorted(supervisor.efforts.items()))
