"""The scheduler of a search for several workers."""

from collections.abc import Hashable, Mapping

from tfcourse.search.config.architecture import program_of
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.scheduler.leases import Lease
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.strategies.stopping import NO_RUNS, EarlierRuns
from tfcourse.search.strategies.study import Records
from tfcourse.search.trials.trainings import with_origin
from tfcourse.types import Hyperparameters

__all__ = ["scheduler_by_program"]


def scheduler_by_program(
    config: SearchConfig,
    finished: Records,
    journal: SearchJournal,
    leases: Mapping[str, Lease] | None = None,
    earlier: EarlierRuns = NO_RUNS,
) -> Scheduler:
    """Return a scheduler that gives workers trials whose program they have compiled, if it can.

    Args:
        config: The search.
        finished: The trials on record.
        journal: The record.
        leases: The leases under an earlier scheduler that died.
        earlier: The part of the search that earlier runs have done.
    """

    def program(values: Hyperparameters) -> Hashable:
        own, _ = with_origin(
            config.search.strategy, 0, values
        )  # the trial that it continues is no matter
        return program_of(own, config.builder)

    return Scheduler(
        config.study,
        finished,
        journal,
        leases,
        program,
        config.search.reuse_models,
        config.limits,
        earlier,
    )
