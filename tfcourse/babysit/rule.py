"""The rule for a loss that explodes."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from tfcourse.babysit.entries import Entry
from tfcourse.errors import InputError, one_of, shown

__all__ = ["OnExplosion", "Rule", "epoch_to_return_to", "explosion"]

OnExplosion = Literal["rollback", "pause", "stop", "ignore"]


@dataclass(frozen=True)
class Rule:
    """The reaction to a loss that explodes.

    Attributes:
        on_explosion: ``"rollback"`` returns to the epoch of the lowest loss, with a smaller
            learning rate; ``"pause"`` returns there and pauses, ``"stop"`` returns there and ends
            the command with an error; ``"ignore"`` does nothing.
        factor: An epoch's loss explodes if it is not finite; or above this many times the lowest
            before it (where that is positive), and above half of the first epoch's: losses near 0
            vary by factors without harm.
        cut: The factor of the learning rate after a rollback.
        max_rollbacks: The rollbacks without a command in between, after which it is ``"stop"``.
    """

    on_explosion: OnExplosion = "rollback"
    factor: float = 3.0
    cut: float = 0.5
    max_rollbacks: int = 3

    def check(self) -> None:
        """Raise InputError if one of the values is not admissible."""
        if self.on_explosion not in get_args(OnExplosion):
            raise InputError(one_of("on_explosion", self.on_explosion, get_args(OnExplosion)))
        for name, value, is_right, demand in (
            ("factor", self.factor, self.factor > 1, "> 1"),
            ("cut", self.cut, 0 < self.cut < 1, "in (0, 1)"),
            ("max_rollbacks", self.max_rollbacks, self.max_rollbacks >= 0, ">= 0"),
        ):
            if not is_right:
                raise InputError(f"{name} must be a number {demand}. Received: {shown(value)}.")


def explosion(epochs: Sequence[Entry], factor: float) -> str:
    """Return why the loss exploded in the last of some epochs; an empty text if it did not.

    Args:
        epochs: The entries of all epochs that are done.
        factor: See `Rule`.
    """
    if not epochs:
        return ""
    last = epochs[-1]
    if not last.is_finite:
        return f"the loss of epoch {last.epoch} is {last.loss}"
    loss, lowest = _loss(last), min(epochs, key=_loss)
    limit = max(factor * _loss(lowest), _loss(epochs[0]) / 2)
    if not (_loss(lowest) > 0 and loss > limit):
        return ""
    return (
        f"the loss of epoch {last.epoch}, {loss:.4g}, is more than {factor:g} times the lowest, "
        f"{_loss(lowest):.4g} in epoch {lowest.epoch}"
    )


def epoch_to_return_to(epochs: Sequence[Entry], checkpoints: Collection[int]) -> int | None:
    """Return the epoch of the lowest loss before the last one; None without a checkpoint.

    Args:
        epochs: The entries of all epochs that are done.
        checkpoints: The epochs at whose ends there are checkpoints; 0 is the beginning.
    """
    losses = {entry.epoch: _loss(entry) for entry in epochs[:-1]}
    earlier = [epoch for epoch in checkpoints if epoch < len(epochs)]
    return min(earlier, key=lambda epoch: (losses.get(epoch, math.inf), -epoch), default=None)


def _loss(entry: Entry) -> float:
    """Return an epoch's loss; infinity where it is NaN."""
    return entry.loss if entry.loss is not None and entry.is_finite else math.inf
