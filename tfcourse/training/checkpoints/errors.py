"""What goes wrong with checkpoints, apart from what goes wrong with the training itself."""

from tfcourse.errors import InputError, WorkFailedError

__all__ = ["CheckpointError", "UnusableCheckpointError"]


class CheckpointError(WorkFailedError):
    """A folder of checkpoints can't be read or written to, whatever the training."""


class UnusableCheckpointError(InputError):
    """There are checkpoints, and the training can't go on from any; without them it could begin."""
