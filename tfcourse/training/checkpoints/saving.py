"""The options of checkpoints: their folder, how often, and how many."""

import datetime
import os
from dataclasses import dataclass
from pathlib import Path

from tfcourse.errors import InputError, shown
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder
from tfcourse.training.data.inputs import check_sizes

__all__ = ["Saving", "saving_of"]


@dataclass(frozen=True)
class Saving:
    """The options of checkpoints.

    Attributes:
        folder: Their folder.
        every: The epochs, or the time, from one to the next.
        seed: The ``seed`` argument of `fit`.
        verbose: Whether to print from which checkpoint the training continues.
    """

    folder: CheckpointFolder
    every: int | datetime.timedelta
    seed: int | None
    verbose: bool


def saving_of(
    checkpoint_dir: str | os.PathLike[str] | None,
    save_every: int | datetime.timedelta,
    keep_checkpoints: int,
    seed: int | None,
    verbose: int | str,
) -> Saving | None:
    """Check the arguments of `fit` and create the folder; return None without ``checkpoint_dir``.

    Raises:
        InputError: One of them is wrong, or the folder can't be created.
    """
    check_sizes(keep_checkpoints=0 if keep_checkpoints is None else keep_checkpoints)
    if isinstance(save_every, datetime.timedelta):
        if save_every <= datetime.timedelta():
            raise InputError(f"save_every must be a positive time. Received: {shown(save_every)}.")
    elif isinstance(save_every, bool) or not isinstance(save_every, int) or save_every < 1:
        raise InputError(
            "save_every must be a whole number of epochs >= 1, or a datetime.timedelta. "
            f"Received: {shown(save_every)}."
        )
    if checkpoint_dir is None:
        return None
    if not isinstance(checkpoint_dir, str | os.PathLike) or not os.fspath(checkpoint_dir):
        raise InputError(f"checkpoint_dir must be a path. Received: {shown(checkpoint_dir)}.")
    path = Path(checkpoint_dir)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"checkpoint_dir must be a folder, or creatable. Received: {path} ({error})."
        ) from error
    # Also after a change of the working directory.
    return Saving(
        CheckpointFolder(path.absolute(), keep_checkpoints), save_every, seed, verbose != 0
    )
