"""The checks and warnings of a search before it loads anything."""

import logging

from tfcourse.search.config.advice import exhaustion
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.results.tensorboard import folder_of
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.resume import repetitions
from tfcourse.search.strategies.study import Records

__all__ = ["begin"]

LOG = logging.getLogger("tfcourse")


def begin(config: SearchConfig, directory: RunDirectory, finished: Records) -> None:
    """Log how the trials of a discrete space differ from what the config says.

    Args:
        config: The search.
        directory: Its run directory.
        finished: The trials on record.

    Raises:
        InputError: The folder for TensorBoard is not the search's.
    """
    repeated = repetitions(config.search.strategy, config.space, finished)
    for line in exhaustion(config.search.trials, config.trials) + repeated:
        LOG.warning("%s: %s", config.origin, line)
    folder = folder_of(config, directory)
    if folder is not None:
        folder.check()
