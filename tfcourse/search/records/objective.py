"""An objective of a search: a metric, or a cost of a trial, and its better direction."""

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["COSTS", "MILLISECONDS", "PARAMETERS", "TIMES", "Objective"]

# The number of parameters of a trial's model.
PARAMETERS = "parameters"
# The seconds of a trial and the milliseconds of a prediction, which no run repeats.
TIMES = (SECONDS, MILLISECONDS) = ("seconds", "milliseconds")
# What a record has beside the metrics of its history; less of it is better.
COSTS = (PARAMETERS, *TIMES)


@dataclass(frozen=True)
class Objective:
    """An objective.

    Attributes:
        name: A metric or loss by its name in a history; ``"parameters"``, the number of parameters
            of the model; or a time, which no other run repeats: ``"seconds"`` of the trial, or
            ``"milliseconds"`` of a prediction.
        direction: ``"max"`` or ``"min"``.
    """

    name: str
    direction: Literal["max", "min"]

    def loss(self, value: float | None) -> float:
        """Return a value with the sign by which smaller is better; infinity if it is not finite."""
        if value is None or not math.isfinite(value):
            return math.inf
        return -value if self.direction == "max" else float(value)
