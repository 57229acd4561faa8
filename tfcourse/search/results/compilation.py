"""The compilation of a search's loaded models."""

import logging
from pathlib import Path

from tfcourse.errors import InputError
from tfcourse.search.config.load import load_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.types import Hyperparameters, KerasModel

__all__ = ["compile_as_searched"]

LOG = logging.getLogger("tfcourse")


def compile_as_searched(
    model: KerasModel,
    directory: Path,
    values: Hyperparameters,
    config: SearchConfig | None = None,
) -> None:
    """Compile a loaded model with the search's loss and metrics, if it comes without them.

    Where these can't be had, as objects that another process passed, it stays uncompiled, and the
    logger "tfcourse" says so.

    Args:
        model: The model of a trial.
        directory: The run directory.
        values: The trial's hyperparameters.
        config: The search; None reads the one on record.
    """
    if model.compiled:
        return
    from tfcourse.search.trials.building import compile_loaded

    try:
        search = config or load_config(directory / "config.toml", recorded=True)
        compile_loaded(model, search, values)
    except InputError as error:
        LOG.warning("The model of %s is not compiled: %s", directory, error)
