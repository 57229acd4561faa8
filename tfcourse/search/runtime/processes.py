"""The launcher of worker processes on this machine."""

import os
from collections.abc import Collection, Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from tfcourse.search.runtime.process import Child, folders_of_sockets
from tfcourse.search.runtime.resources import WorkerSlot, cores, environment, gpus
from tfcourse.search.runtime.worker_pool import WorkerPool

__all__ = ["Processes"]


class Processes:
    """Starts the processes of a pool, each with its share of the machine.

    Args:
        pool: The workers.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool

    @property
    def folders(self) -> Sequence[Path]:
        """The folders that they need, see `tfcourse.search.runtime.worker_pool.Launcher`."""
        return folders_of_sockets()

    def start(self, settings: Mapping[str, Any], log: Path) -> Child:
        """Start a worker, see `tfcourse.search.runtime.worker_pool.Launcher`."""
        config, workers, chief = self.pool.config, self.pool.workers, self.pool.chief
        # Workers that were started on a machine one by one for a chief do not know the others.
        slot = WorkerSlot(
            workers.index(settings["name"]),
            len(workers),
            cores(),
            [] if chief else gpus(os.environ),
        )
        environ = environment(slot, config.search.threads, os.environ)
        return Child(settings["name"], {**settings, "environ": environ}, log)

    def ready(self, workers: Collection[Child], timeout: float) -> Collection[Child]:
        """Return those that have a message or have ended, after at most `timeout` seconds."""
        worker_of = {sign: worker for worker in workers for sign in worker.signs}
        return {worker_of[sign] for sign in wait(worker_of, timeout=timeout)}
