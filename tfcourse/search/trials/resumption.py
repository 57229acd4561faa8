"""The continuation of a trial's training from its checkpoints."""

import logging
from collections.abc import Callable

from tfcourse.training.checkpoints.checkpoint import CheckpointFolder
from tfcourse.training.checkpoints.errors import UnusableCheckpointError
from tfcourse.types import KerasModel

__all__ = ["resume_or_restart"]

LOG = logging.getLogger("tfcourse")


def resume_or_restart(
    fit_once: Callable[[KerasModel], dict[str, list[float]]],
    model: KerasModel,
    saved: CheckpointFolder,
) -> dict[str, list[float]]:
    """Fit the model from its checkpoints; from the beginning if none of them can be used."""
    try:
        return fit_once(model)
    except UnusableCheckpointError as error:
        # They are damaged, or of a model that the builder returned before its code changed.
        LOG.warning("A trial is trained from its beginning: %s", error)
        saved.clear()
        return fit_once(model)
