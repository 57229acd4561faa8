"""A search's processes on this machine: all of them, or the chief of workers elsewhere."""

from collections.abc import Callable
from pathlib import Path

from tfcourse.quiet import quiet_start
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.records.effort import Effort
from tfcourse.search.runtime.progress import SearchProgress
from tfcourse.search.runtime.service import Service
from tfcourse.search.runtime.supervisor import Supervisor
from tfcourse.search.runtime.worker_pool import WorkerPool
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.strategies.proposals import Records

__all__ = ["serve", "supervise"]


def supervise(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Records,
    workers: int,
    verbose: bool,
    fresh: bool,
    accept_changes: bool = False,
) -> dict[str, Effort]:
    """Runs the trials that are not finished in ``workers`` processes, and concludes the search.

    Args:
        config: The search.
        directory: Where its record goes.
        finished: The trials that are already there.
        workers: How many processes train.
        verbose: Whether to show the progress.
        fresh: Whether to delete what the directory holds, once data and builder are checked.
        accept_changes: Whether to go on although the code of the models changed.

    Returns:
        What the trials took by worker, since each was last started.

    Raises:
        InputError: The data or the builder does not fit.
        SearchFailedError: Every trial failed.
        WorkFailedError: The processes kept dying.
    """
    directory.leases.unlink(missing_ok=True)  # whoever ran those trials is dead
    bar = SearchProgress(config, finished, disable=not verbose)
    names = tuple(f"w{number + 1}" for number in range(workers))
    supervisor = Supervisor(
        WorkerPool(config, Path(directory.path).parent, names, fresh, accept_changes), bar
    )
    try:
        with bar:
            supervisor.run()
    except BaseException:
        if directory.exists():  # the chief writes the tables now and then only
            SearchJournal(config, directory, {}, lambda record, best: None).break_off()
        raise
    return dict(sorted(supervisor.efforts.items()))


def serve(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Records,
    service: Service,
    on_serving: Callable[[int], None],
    accept_changes: bool = False,
) -> None:
    """Hands out the trials that are not finished to workers elsewhere, and concludes the search.

    Args:
        config: The search.
        directory: Where its record goes.
        finished: The trials that are already there.
        service: Where and how to serve.
        on_serving: Called with the port once workers can connect.
        accept_changes: Whether to go on although the code of the models changed.

    Raises:
        InputError: The data, the builder or the address does not fit.
        SearchFailedError: Every trial failed.
    """
    with quiet_start():
        from tfcourse.search.runtime.chief import Chief

    bar = SearchProgress(config, finished)
    chief = Chief(config, directory, lambda record, best: bar.advance(best))

    def begin(port: int) -> None:
        on_serving(port)
        bar.__enter__()

    try:
        chief.run(service, finished, False, begin, accept_changes)
    finally:
        bar.__exit__()
