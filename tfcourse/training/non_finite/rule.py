"""The rule for numbers that are NaN or infinite: which is the first of an epoch, and what to do.

`fit`, populations and searches all follow it. The layer that is the cause is found by
`tfcourse.training.non_finite.cause`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import keras

from tfcourse.errors import InputError, one_of
from tfcourse.internals.optimizers import learning_rate_source
from tfcourse.optimizers.schedule import TrainingSchedule
from tfcourse.types import Optimizer

__all__ = ["Fault", "OnNan", "check_on_nan", "gives_up", "logs_fault", "steps_fault"]

OnNan = Literal["stop", "rollback", "ignore"]
MAX_ROLLBACKS = 3


@dataclass(frozen=True)
class Fault:
    """The first thing of an epoch that is not finite.

    Attributes:
        name: ``"loss"`` or another metric, or ``"weight"`` for any of the weights.
        epoch: The epoch, from 0.
        batch: The batch of the epoch, from 0; None if it is not known.
    """

    name: str
    epoch: int
    batch: int | None = None

    @property
    def message(self) -> str:
        """A sentence without its period: ``The loss is not finite in epoch 3, batch 2``."""
        if self.name == "weight":
            return f"A weight is not finite after epoch {self.epoch + 1}"
        batch = "" if self.batch is None else f", batch {self.batch + 1}"
        return f"The {self.name} is not finite in epoch {self.epoch + 1}{batch}"


def steps_fault(epoch: int, steps: int, finite_steps: int, finite_weights: bool) -> Fault | None:
    """Return the fault of an epoch's training, or None if its losses and weights are finite.

    Args:
        epoch: The epoch, from 0.
        steps: Its steps.
        finite_steps: The steps before the first whose loss is not finite.
        finite_weights: Whether all weights are finite after the last step.
    """
    if finite_steps < steps:
        return Fault("loss", epoch, finite_steps)
    return None if finite_weights else Fault("weight", epoch)


def logs_fault(epoch: int, logs: Mapping[str, float]) -> Fault | None:
    """Return the fault of an epoch's numbers, the loss before the others, or None."""
    names = sorted(logs, key=lambda name: name != "loss")
    name = next((name for name in names if not math.isfinite(logs[name])), None)
    return None if name is None else Fault(name, epoch)


def gives_up(on_nan: OnNan, rollbacks: int) -> bool:
    """Return True if a training ends at a fault, and False if it rolls back once more."""
    return on_nan == "stop" or rollbacks == MAX_ROLLBACKS


def check_on_nan(on_nan: str, optimizer: Optimizer) -> None:
    """Check that ``on_nan`` is a known word, and that a rollback can halve the learning rate.

    Raises:
        InputError: It isn't, or it can't.
    """
    if on_nan not in get_args(OnNan):
        raise InputError(one_of("on_nan", on_nan, get_args(OnNan)))
    rate = None if optimizer is None else learning_rate_source(optimizer)
    variable = isinstance(rate, keras.Variable | TrainingSchedule)
    if on_nan == "rollback" and callable(rate) and not variable:
        raise InputError(
            'on_nan="rollback" halves the learning rate, which must therefore be a number. '
            f"Received: the schedule {type(rate).__name__}."
        )
