"""An objective of a search: a metric, or a cost of a trial, and its better direction."""

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["COSTS", "PARAMETERS", "Objective"]

# The number of parameters of a trial's model.
PARAMETERS = "parameters"
# What a record has beside the metrics of its history; less of it is better.
COSTS = (PARAMETERS, "seconds")


@dataclass(frozen=True)
class Objective:
    """An objective.

    Attributes:
        name: A metric or loss by its name in a history; ``"parameters"``, the number of parameters
            of the model; or ``"seconds"``, the time of the trial, which no other run repeats.
        direction: ``"max"`` or ``"min"``.
    """

    name: str
    direction: Literal["max", "min"]

    def loss(self, value: float | None) -> float:
        """Return a value with the sign by which smaller is better; infinity if it is not finite."""
        if value is None or not math.isfinite(value):
            return math.inf
        return -value if self.direction == "max" else float(value)
