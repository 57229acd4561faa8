"""The chief: prepares the search, hands out its trials, and concludes it."""

import threading
import time
from collections.abc import Callable

from tfcourse.search.config.load import SearchConfig
from tfcourse.search.engine.oracle import SearchOracle
from tfcourse.search.engine.rpc import OracleServer
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.runtime.execution import conclude, prepare
from tfcourse.search.runtime.service import Service
from tfcourse.search.scheduler.leases import read_leases
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.strategies.proposals import Records

__all__ = ["Chief"]

TICK = 0.1
# A worker that gave no sign for so long is not waited for at the end.
SHUTDOWN_GRACE_SECONDS = 6.0


class Chief:
    """Serves a search's trials until all have ended.

    Args:
        config: The search.
        directory: Its run directory.
        on_end: Called with each trial that ends, and the best score so far.
    """

    def __init__(
        self,
        config: SearchConfig,
        directory: RunDirectory,
        on_end: Callable[[TrialRecord, float | None], None],
    ) -> None:
        self.config, self.directory, self.on_end = config, directory, on_end
        self.lost: list[str] = []
        self._lock = threading.Lock()

    def run(
        self,
        service: Service,
        finished: Records,
        fresh: bool,
        on_serving: Callable[[int], None],
        accept_changes: bool = False,
        begins: Callable[[str], None] = lambda part: None,
    ) -> None:
        """Prepares, serves, concludes.

        Args:
            service: Where and how to serve.
            finished: The trials that are on record.
            fresh: Whether to delete what the directory holds, once data and builder are checked.
            on_serving: Called with the port once workers can connect.
            accept_changes: Whether to go on although the code of the models changed.
            begins: Called before the "data" is loaded, and the first "model" is built.

        Raises:
            InputError: The data, the builder or the address does not fit.
            SearchFailedError: Every trial failed.
        """
        split = prepare(self.config, self.directory, finished, fresh, accept_changes, begins)
        journal = SearchJournal(self.config, self.directory, finished, self.on_end, True)
        leases = read_leases(self.directory.leases)
        trials = self.config.trials
        oracle = SearchOracle(self.config, trials, finished, journal, leases, by_program=True)
        server = OracleServer(oracle, service.token)
        on_serving(server.start(service.host, service.port))
        try:
            self._serve(oracle, server, service.expire_after)
        finally:
            server.stop()
        conclude(self.config, self.directory, journal, split)

    def release(self, worker: str) -> None:
        """Hands out the trial of a worker that won't come back; from any thread."""
        with self._lock:
            self.lost.append(worker)

    def _serve(self, oracle: SearchOracle, server: OracleServer, expire_after: float) -> None:
        while not oracle.complete:
            with self._lock:
                lost, self.lost = self.lost, []
            for worker in lost:
                oracle.release(worker)
            server.expire(expire_after)
            time.sleep(TICK)
        # So that the workers hear that there is nothing left, and end.
        end = time.monotonic() + SHUTDOWN_GRACE_SECONDS
        while server.waits(SHUTDOWN_GRACE_SECONDS) and time.monotonic() < end:
            time.sleep(TICK)
