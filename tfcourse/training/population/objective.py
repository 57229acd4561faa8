"""What members are compared by, and when one of them is to stop."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from tfcourse.errors import InputError, one_of
from tfcourse.internals.models import direction_of

__all__ = ["Halving", "Objective", "StoppingRule", "find_direction"]

Direction = Literal["min", "max"]


@dataclass(frozen=True)
class Objective:
    """A metric, and whether less or more of it is better.

    Attributes:
        name: The metric's name in the history, such as ``"val_loss"``.
        direction: ``"min"`` or ``"max"``.
        min_delta: By how much a value must be better to count as an improvement.
    """

    name: str
    direction: Direction
    min_delta: float = 0.0

    def improves(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best so far; NaN and infinity never are."""
        if not math.isfinite(value):
            return False
        if best is None:
            return True
        gain = best - value if self.direction == "min" else value - best
        return gain > self.min_delta


@dataclass(frozen=True)
class Halving:
    """Successive halving (Jamieson and Talwalkar 2016): of many members the best go on.

    Attributes:
        factor: One in ``factor`` members goes on from each rung, at least one.
        epochs: The first rung; each further one is ``factor`` times as far.
    """

    factor: int
    epochs: int = 1

    def is_rung(self, epochs: int) -> bool:
        """Whether members are compared after so many epochs."""
        rung = self.epochs
        while rung < epochs:
            rung *= self.factor
        return rung == epochs

    def promoted(self, count: int) -> int:
        """How many of ``count`` members go on."""
        return max(1, count // self.factor)


@dataclass(frozen=True)
class StoppingRule:
    """When a member stops before its last epoch.

    Attributes:
        objective: What is watched.
        patience: Epochs without an improvement after which a member stops, as
            ``keras.callbacks.EarlyStopping`` counts them; None for no such stop.
        halving: At which epochs members are compared; None for never.
    """

    objective: Objective
    patience: int | None = None
    halving: Halving | None = None

    def out_of_patience(self, waited: int, epochs: int) -> bool:
        """Whether to stop after ``epochs`` epochs, the last ``waited`` without improvement."""
        return self.patience is not None and waited >= max(self.patience, 1) and epochs > 1


def find_direction(model: Any, name: str, direction: str) -> Direction:
    """Whether less or more of the objective is better.

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
