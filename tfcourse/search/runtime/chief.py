"""The chief of workers on other machines: prepares the search, serves trials, and concludes."""

import time
from collections.abc import Callable

from tfcourse.notices import notice
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.engine.oracle import SearchOracle
from tfcourse.search.engine.rpc import OracleServer
from tfcourse.search.results.tensorboard import writing_events
from tfcourse.search.runtime.conclusion import conclude
from tfcourse.search.runtime.preparation import prepare
from tfcourse.search.runtime.progress import SearchProgress
from tfcourse.search.runtime.scheduling import scheduler_by_program
from tfcourse.search.runtime.service import Service
from tfcourse.search.scheduler.leases import Lease, worker_of
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.store.reading import read_json_as
from tfcourse.search.strategies.study import Records

__all__ = ["run_chief"]

TICK = 0.1
# At the end, a worker that gave no sign for so long is not waited for.
SHUTDOWN_GRACE_SECONDS = 6.0


def run_chief(
    config: SearchConfig,
    directory: RunDirectory,
    service: Service,
    finished: Records,
    on_serving: Callable[[int], None],
    accept_changes: bool = False,
) -> None:
    """Prepare a search, serve its trials until all have ended, and conclude it.

    Args:
        config: The search.
        directory: Its run directory.
        service: Where and how to serve.
        finished: The trials on record.
        on_serving: Called with the port once workers can connect.
        accept_changes: Whether to continue although the code of the models changed.

    Raises:
        InputError: The data, the builder or the address does not fit.
        SearchFailedError: Every trial failed.
    """
    with notice(f"{config.search.name}: checking data and model", disable=not service.verbose):
        split = prepare(config, directory, finished, False, accept_changes)
    bar = SearchProgress(config, finished, disable=not service.verbose)
    on_end = writing_events(config, directory, finished, bar.advance)
    journal = SearchJournal(config, directory, finished, on_end, writes_leases=True)
    leases = read_json_as(directory.leases, dict[str, Lease])
    scheduler = scheduler_by_program(config, finished, journal, leases)
    oracle = SearchOracle(config.search.objective, config.direction, config.trials, scheduler)
    server = OracleServer(oracle, service.token, workers_of(scheduler))
    on_serving(server.start(service.host, service.port, service.certificate))
    try:
        with bar:
            _serve(scheduler, server, service.expire_after)
    finally:
        server.stop()
    conclude(journal, scheduler, split)


def _serve(scheduler: Scheduler, server: OracleServer, expire_after: float) -> None:
    while scheduler.leases or not scheduler.complete:
        release_silent(scheduler, server, expire_after)
        time.sleep(TICK)
    # So that the workers learn that nothing is left, and end.
    end = time.monotonic() + SHUTDOWN_GRACE_SECONDS
    while server.waits(SHUTDOWN_GRACE_SECONDS) and time.monotonic() < end:
        time.sleep(TICK)


def release_silent(scheduler: Scheduler, server: OracleServer, seconds: float) -> list[str]:
    """Release the trials of workers that gave no sign for so long, and return their names."""
    silent = [w for w in workers_of(scheduler) if server.is_silent(w, seconds)]
    for worker in silent:
        scheduler.release(worker)
    return silent


def workers_of(scheduler: Scheduler) -> list[str]:
    """Return the workers that have trials."""
    return sorted({worker_of(holder) for holder in list(scheduler.leases)})
