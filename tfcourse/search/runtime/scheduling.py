"""The scheduler of a search for several workers."""

from collections.abc import Hashable, Mapping

from tfcourse.search.config.architecture import program_of
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.scheduler.leases import Lease
from tfcourse.search.scheduler.scheduler import Scheduler
from tfcourse.search.store.journal import SearchJournal
from tfcourse.search.strategies.study import Records
from tfcourse.search.trials.trainings import with_origin
from tfcourse.types import Hyperparameters

__all__ = ["scheduler_by_program"]


def scheduler_by_program(
    config: SearchConfig,
    finished: Records,
    journal: SearchJournal,
    leases: Mapping[str, Lease] | None = None,
) -> Scheduler:
    """Return a scheduler that gives workers trials whose program they have compiled, if it can.

    Args:
        config: The search.
        finished: The trials on record.
        journal: The record.
        leases: The leases under an earlier scheduler that died.
    """

    def program(values: Hyperparameters) -> Hashable:
        own, _ = with_origin(search.strategy, 0, values)  # the trial it continues is no matter
        return program_of(own, config.builder)

    search, study, limits = config.search, config.study, config.limits
    return Scheduler(study, finished, journal, leases, program, search.reuse_models, limits)
