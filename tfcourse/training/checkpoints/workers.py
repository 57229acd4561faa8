"""Checkpoints of several machines: the first worker writes, and all read the same one."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import tensorflow as tf

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder
from tfcourse.training.checkpoints.record import Record
from tfcourse.training.programs.model_programs import state_copier
from tfcourse.training.programs.replicas import gather_numbers
from tfcourse.training.programs.state import state_variables
from tfcourse.types import Array, KerasModel

__all__ = ["Workers"]

T = TypeVar("T")


class Workers:
    """The workers of a model's strategy; one, where it has none or a strategy of one machine.

    All workers must call `first_says`, `newest` and `values` at the same time.

    Args:
        model: A built model.
    """

    def __init__(self, model: KerasModel) -> None:
        self.model, self.strategy = model, model.distribute_strategy
        self.several = isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy)
        self.first = not self.several or _is_first(self.strategy.cluster_resolver)

    def first_says(self, true: bool) -> bool:
        """Return the value that the first of all workers passes."""
        return bool(gather_numbers(self.strategy, [int(true)])[0, 0]) if self.several else true

    def newest(self, folder: CheckpointFolder) -> tuple[Path, Record] | None:
        """Return the newest checkpoint, which must be the same for all workers.

        Raises:
            InputError: It isn't, or `CheckpointFolder.newest` raises it.
        """
        if not self.several:
            return folder.newest()
        newest, reason = _value_or_error(folder.newest)
        number = -2 if reason else -1 if newest is None else int(newest[0].stem.split("-")[1])
        numbers = [int(row[0]) for row in gather_numbers(self.strategy, [number])]
        if len(set(numbers)) > 1:
            each = ", ".join({-2: "a damaged one", -1: "none"}.get(n, str(n)) for n in numbers)
            raise InputError(
                "checkpoint_dir must be one folder that all workers can read. Received: the "
                f"newest checkpoint {each}. Pass a folder on a file system that they share."
            )
        if reason is not None:
            raise reason
        return newest

    def values(self) -> list[Array]:
        """Return the values of the model's variables, with metrics summed over all workers."""
        if self.several:
            return [value.numpy() for value in state_copier(self.model).copy()]
        return [variable.value.numpy() for variable in state_variables(self.model)]


def _value_or_error(call: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return call(), None
    except (InputError, WorkFailedError) as error:
        return None, error


def _is_first(resolver: tf.distribute.cluster_resolver.ClusterResolver) -> bool:
    job = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (job, 0)
