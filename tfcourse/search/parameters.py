"""The parameters of a search space: each a bijection from the unit interval to its values."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from tfcourse.formulas.scales import to_unit, to_value

__all__ = ["Choice", "Parameter", "Range"]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, uniform on ``scale``; whole ones or in steps if asked.

    A stepped range cuts the scale into one bin a value, half a step to each side: on a linear
    scale all values are equally likely, on a log scale value v has the share ln((v+s/2)/(v-s/2)).

    Attributes:
        kind: ``"float"`` or ``"int"``.
        low: The smallest value.
        high: The largest value (a stepped range ends at the last step below it).
        step: Distance of neighbouring values; None for every float. An int has a step.
        scale: ``"linear"``, ``"log"`` or ``"one_minus_log"``.
    """

    kind: Literal["float", "int"]
    low: float
    high: float
    step: float | None = None
    scale: str = "linear"

    @property
    def count(self) -> int | None:
        """The number of values; None for a continuous range."""
        if self.step is None:
            return None
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1

    @property
    def edges(self) -> tuple[float, float]:
        """The ends of the interval that the scale covers."""
        if self.step is None or self.count is None:
            return self.low, self.high
        start = self.low - self.step / 2
        return start, start + self.count * self.step

    def value_at(self, unit: float) -> int | float:
        """The value at position ``unit`` in [0, 1]."""
        start, end = self.edges
        value = float(to_value(unit, start, end, self.scale))
        if self.step is None or self.count is None:
            return value
        position = min(math.floor((value - start) / self.step), self.count - 1)
        value = self.low + position * self.step
        return round(value) if self.kind == "int" else float(min(value, self.high))

    def unit_of(self, value: float) -> float:
        """The position of a value; ``value_at(unit_of(v)) == v``."""
        return float(to_unit(value, *self.edges, self.scale))


@dataclass(frozen=True)
class Choice:
    """One of ``values``, each equally likely; also for booleans."""

    values: tuple[Any, ...]

    @property
    def count(self) -> int:
        """The number of values."""
        return len(self.values)

    def value_at(self, unit: float) -> Any:
        """The value at position ``unit`` in [0, 1]."""
        return self.values[min(math.floor(unit * len(self.values)), len(self.values) - 1)]

    def unit_of(self, value: Any) -> float:
        """The middle of the value's share of [0, 1]."""
        return (self.values.index(value) + 0.5) / len(self.values)


Parameter = Range | Choice
