"""The engines of a search: this process, others of this machine, or a Ray cluster."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from tfcourse.notices import notice, tensorflow_start
from tfcourse.search.config.ray import RayTable
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.checks import check_data
from tfcourse.search.ray.cluster import Share, check_address, check_package, connected
from tfcourse.search.records.effort import Effort
from tfcourse.search.runtime.local import supervise
from tfcourse.search.runtime.resources import worker_count
from tfcourse.search.runtime.shared_objects import check_shareable
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.strategies.study import Records

__all__ = ["Engine", "RunFunction", "find_engine"]


class RunFunction(Protocol):
    """Runs the trials and concludes the search, see `tfcourse.search.runtime.local.supervise`."""

    def __call__(
        self,
        config: SearchConfig,
        directory: RunDirectory,
        finished: Records,
        *,
        verbose: bool,
        fresh: bool,
        accept_changes: bool,
    ) -> dict[str, Effort]:
        """Return what the trials took, by process."""


class Engine(Protocol):
    """An engine runs the trials of a search that are not finished, and concludes the search."""

    def check(self, config: SearchConfig) -> None:
        """Find errors in the data before TensorFlow is imported.

        Raises:
            InputError: It is not usable.
        """

    def runner(self, config: SearchConfig, verbose: bool) -> AbstractContextManager[RunFunction]:
        """Import and connect what the engine needs, and return the function that runs a search."""


@dataclass(frozen=True)
class _OneProcess:
    def check(self, config: SearchConfig) -> None:
        """Leave the data to the search, which begins with it."""

    @contextmanager
    def runner(self, config: SearchConfig, verbose: bool) -> Iterator[RunFunction]:
        # A finished search is shown without TensorFlow.
        with tensorflow_start(config.search.name, disable=not verbose):
            from tfcourse.search.runtime.execution import execute

        yield execute


@dataclass(frozen=True)
class _Processes:
    workers: int

    def check(self, config: SearchConfig) -> None:
        """Find what a worker would find only once it has TensorFlow."""
        check_data(config, decode=False)

    @contextmanager
    def runner(self, config: SearchConfig, verbose: bool) -> Iterator[RunFunction]:
        yield partial(supervise, workers=self.workers)


@dataclass(frozen=True)
class _Ray:
    address: str | None
    workers: int | None
    share: Share

    def check(self, config: SearchConfig) -> None:
        """Leave the data to the search, which begins with it."""

    @contextmanager
    def runner(self, config: SearchConfig, verbose: bool) -> Iterator[RunFunction]:
        with ExitStack() as connection:
            with notice(f"{config.search.name}: connecting to Ray", disable=not verbose):
                connection.enter_context(connected(self.address))
            with tensorflow_start(config.search.name, disable=not verbose):
                from tfcourse.search.ray.driver import search_on_ray

            yield partial(search_on_ray, workers=self.workers, share=self.share)


def find_engine(
    config: SearchConfig, workers: int | Literal["auto"] | None, on: str | None
) -> Engine:
    """Return the engine of a search.

    Args:
        config: The search.
        workers: The number of workers; None for the config's.
        on: The Ray cluster; None for the config's engine.

    Raises:
        InputError: There is no such number of workers or cluster, or the engine can't run it.
    """
    search = config.search
    if on is not None or search.engine == "ray":
        table = search.ray or RayTable()
        address = check_address(on or table.address, "--on" if on else "[search.ray] address")
        check_package()
        if workers is None and "workers" in search.model_fields_set:
            workers = search.workers
        count = None if workers in (None, "auto") else worker_count(workers, search.threads)
        return _Ray(address, count, Share(table.cpus or search.threads, table.gpus))
    count = worker_count(search.workers if workers is None else workers, search.threads)
    if count == 1 and search.trial_timeout is None:
        return _OneProcess()
    check_shareable(config)
    return _Processes(count)
