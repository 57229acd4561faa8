"""A search on a Ray cluster: prepared, scheduled, recorded and concluded in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle

from tfcourse.data.splits import Split
from tfcourse.data.streams.stream import Stream
from tfcourse.errors import InputError, WorkFailedError, error_line
from tfcourse.notices import notice
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.ray.actors import RayActors
from tfcourse.search.ray.cluster import Share, check_software, places
from tfcourse.search.ray.conductor import RayConductor
from tfcourse.search.ray.project_files import project_files
from tfcourse.search.ray.trial_actor import Job
from tfcourse.search.records.effort import Effort
from tfcourse.search.results.tensorboard import writing_events
from tfcourse.search.runtime.conclusion import conclude
from tfcourse.search.runtime.preparation import prepare
from tfcourse.search.runtime.progress import SearchProgress
from tfcourse.search.runtime.supervisor import Supervisor
from tfcourse.search.runtime.worker_pool import WorkerPool
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.strategies.study import Records
from tfcourse.search.trials.threads import use_threads

__all__ = ["search_on_ray"]


def search_on_ray(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Records,
    workers: int | None,
    share: Share,
    verbose: bool,
    fresh: bool,
    accept_changes: bool = False,
) -> dict[str, Effort]:
    """Run the trials that are not finished on the connected cluster, and conclude the search.

    Args:
        config: The search.
        directory: Its run directory.
        finished: The trials on record.
        workers: The number of workers; None for as many as the cluster has places for.
        share: The share of a node of each.
        verbose: Whether to show the progress.
        fresh: Whether to delete what the directory holds, once data and builder are checked.
        accept_changes: Whether to continue although the code of the models changed.

    Returns:
        What the trials took by worker, since each was last started.

    Raises:
        InputError: The data, the builder or the cluster's software does not fit.
        SearchFailedError: Every trial failed.
        WorkFailedError: The workers kept dying, or the cluster was lost.
    """
    with notice(f"{config.search.name}: checking data and model", disable=not verbose):
        check_software()
        use_threads(config.search.threads)
        split = prepare(config, directory, finished, fresh, accept_changes)
    bar = SearchProgress(config, finished, disable=not verbose)
    on_end = writing_events(config, directory, finished, bar.advance)
    journal = SearchJournal(config, directory, finished, on_end)
    conductor = RayConductor(config, finished, journal)
    efforts: dict[str, Effort] = {}
    if not conductor.scheduler.complete:
        room = places(share)
        count = min(workers or max(room, 1), config.trials - len(finished))
        pool = WorkerPool(config, directory.path.parent, tuple(f"w{n + 1}" for n in range(count)))
        try:
            with bar, _cluster_errors(directory):
                if count > room:
                    bar.say(_waiting(count, room, share))
                # In the object store, once a machine; the workers' arrays are views of it.
                references = ray.put(_job(config, finished, directory)), _put(split, config)
                launcher = RayActors(
                    share, config.search.threads, *references, directory, conductor.values_of
                )
                supervisor = Supervisor(pool, conductor, bar, launcher)
                supervisor.run()
        except BaseException:
            journal.break_off()
            raise
        efforts = dict(sorted(supervisor.efforts.items()))
    conclude(journal, conductor.scheduler, split)
    return efforts


def _waiting(count: int, room: int, share: Share) -> str:
    gpus = f" and {share.gpus:g} GPUs" if share.gpus else ""
    return (
        f"The cluster has room for {room} of {count} workers of {share.cpus:g} CPUs{gpus}: the "
        "others begin when it grows. [search.ray] has their shares."
    )


def _put(split: Split, config: SearchConfig) -> Any:
    """Return a reference of the data without the test set; None if each worker is to load it.

    Raises:
        InputError: It is read batch by batch, from an object that can't be sent.
    """
    if not isinstance(split.train, Stream):
        return ray.put(replace(split, test=None))
    if config.datasets is not None:
        raise InputError(
            "Search: a dataset that is an object stays in this process, and can't train on Ray. "
            "Name a function that makes it: source = package.module:function."
        )
    return None


def _job(config: SearchConfig, finished: Records, directory: RunDirectory) -> Job:
    """Return what is sent to the workers.

    Raises:
        InputError: The builder can't be pickled, or the project is too large.
    """
    try:
        pickled = cloudpickle.dumps(replace(config, arrays=None))
    except Exception as error:
        raise InputError(
            f"{config.origin}: the builder can't be sent to the workers on Ray "
            f"({error_line(error)}). Name it: package.module:function."
        ) from error
    data = directory.path / "data.json"
    return Job(pickled, finished, project_files(config), str(Path.cwd()), data.read_bytes())


@contextmanager
def _cluster_errors(directory: RunDirectory) -> Iterator[Any]:
    """Raise WorkFailedError where the connection to the cluster is lost inside."""
    try:
        yield
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise WorkFailedError(
            f"The Ray cluster was lost ({error_line(error)}). The finished trials are in "
            f"{directory.path}; the same command continues from there."
        ) from error
