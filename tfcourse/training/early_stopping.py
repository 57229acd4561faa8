"""The rule of early stopping: which epoch is the best so far, and when to stop waiting.

The functions work element by element: on numbers for one training, and on arrays with an axis of
members for many.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import keras
import numpy as np

from tfcourse.errors import InputError, one_of
from tfcourse.internals.models import direction_of
from tfcourse.types import KerasModel

__all__ = ["BestEpoch", "Direction", "EarlyStopping", "Objective", "find_direction"]

Direction = Literal["min", "max"]
# A number, or an array of one for each member.
Numbers = Any


@dataclass(frozen=True)
class Objective:
    """A metric, and the direction in which it gets better.

    Attributes:
        name: The metric's name in the history, such as ``"val_loss"``.
        direction: ``"min"`` or ``"max"``.
        min_delta: The amount by which a value must be better to count as an improvement.
    """

    name: str
    direction: Direction
    min_delta: float = 0.0

    @property
    def sign(self) -> int:
        """-1 for an objective to minimize, 1 for one to maximize."""
        return 1 if self.direction == "max" else -1

    def improves(self, value: Numbers, best: Numbers) -> Numbers:
        """Return True where a value is better than the best so far; NaN and infinity never are.

        As in Keras's callbacks, ``value`` moved by ``min_delta`` is compared in Keras's default
        float type.

        Args:
            value: The objective of an epoch.
            best: The best before; NaN where there is none.
        """
        if self.min_delta:
            value, best = (
                np.asarray(number, keras.config.floatx()).astype("float64")
                for number in (value - self.sign * self.min_delta, best)
            )
        better = np.greater(np.multiply(value, self.sign), np.multiply(best, self.sign))
        return np.isfinite(value) & (better | np.isnan(best))


class BestEpoch(NamedTuple):
    """The best epoch so far, and how many there have been since.

    Attributes:
        value: Its objective; NaN if no epoch had a finite one.
        epoch: Its number, from 0; -1 if there is none.
        wait: The epochs since then.
    """

    value: Numbers = np.nan
    epoch: Numbers = -1
    wait: Numbers = 0


@dataclass(frozen=True)
class EarlyStopping:
    """The rule of ``keras.callbacks.EarlyStopping``, without a model.

    It differs in one thing: a NaN in the first epoch is not the best one ever after.

    Attributes:
        objective: The metric to watch.
        patience: Epochs without an improvement after which a training stops; None never stops it.
        start_from_epoch: The first epoch that is looked at.
    """

    objective: Objective
    patience: int | None = None
    start_from_epoch: int = 0

    def update(self, best: BestEpoch, epoch: Numbers, value: Numbers) -> BestEpoch:
        """Return the best epoch after another one.

        Args:
            best: The best epoch before.
            epoch: The number of this one, from 0.
            value: Its objective.
        """
        watched = np.greater_equal(epoch, self.start_from_epoch)
        improved: Numbers = watched & self.objective.improves(value, best.value)
        after = BestEpoch(value, epoch, 0)
        before = best._replace(wait=best.wait + watched)
        pairs = zip(after, before, strict=True)
        return BestEpoch(*(np.where(improved, new, old)[()] for new, old in pairs))

    def stops(self, best: BestEpoch, epoch: Numbers) -> Numbers:
        """Return True where a training stops after ``epoch``, which `update` has seen."""
        if self.patience is None:
            return np.zeros(np.shape(epoch), bool)[()]
        watched = np.greater_equal(epoch, max(1, self.start_from_epoch))
        return watched & np.greater_equal(best.wait, max(1, self.patience))


def find_direction(model: KerasModel, name: str, direction: str) -> Direction:
    """Return the direction in which an objective gets better.

    Args:
        model: The compiled model.
        name: The objective.
        direction: ``"min"``, ``"max"`` or ``"auto"``, which takes it from the metric.

    Raises:
        InputError: Its direction is not known.
    """
    if direction in ("min", "max"):
        return "min" if direction == "min" else "max"
    if direction != "auto":
        raise InputError(one_of("direction", direction, ("auto", "min", "max")))
    plain = name.removeprefix("val_")
    if plain == "loss":
        return "min"
    metrics = [m for listed in model.metrics for m in (listed, *getattr(listed, "metrics", []))]
    directions = {m.name: direction_of(m) for m in metrics}
    if directions.get(plain) is None:
        raise InputError(
            f'direction is needed: whether less or more of "{name}" is better is not known. '
            'Pass direction="min" or direction="max".'
        )
    return "max" if directions[plain] == "up" else "min"
