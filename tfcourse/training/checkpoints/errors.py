"""The errors of checkpoints, apart from those of the training itself."""

from tfcourse.errors import InputError, WorkFailedError

__all__ = ["CheckpointError", "UnusableCheckpointError"]


class CheckpointError(WorkFailedError):
    """A folder of checkpoints can't be read or written to by any training."""


class UnusableCheckpointError(InputError):
    """The training can't continue from any of the checkpoints; without them it could begin."""
