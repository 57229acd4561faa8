"""The parameters of a search space: each a bijection from the unit interval to its values."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tfcourse.formulas.scales import to_unit, to_value

__all__ = [
    "Choice",
    "Parameter",
    "Range",
    "When",
    "active",
    "admits",
    "any_of",
    "fits",
    "parents_first",
]

When = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, uniform on ``scale``, optionally whole or in steps.

    A stepped range cuts the scale into a bin for each value, half a step to each side: on a linear
    scale all values are equally likely, on a log scale value v has the share ln((v+s/2)/(v-s/2)).

    Attributes:
        kind: ``"float"`` or ``"int"``.
        low: The smallest value.
        high: The largest value (a stepped range ends at the last step below it).
        step: The distance of neighboring values; None for a continuous range. An int has a step.
        scale: ``"linear"``, ``"log"`` or ``"one_minus_log"``.
        when: The values of parents, as (name, value), with which the parameter is active; a tuple
            stands for any of its values.
        points: The number of values in a grid for a continuous range, including both ends.
    """

    kind: Literal["float", "int"]
    low: float
    high: float
    step: float | None = None
    scale: str = "linear"
    when: When = ()
    points: int | None = None

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
        """Return the value at position ``unit`` in [0, 1]."""
        start, end = self.edges
        value = float(to_value(unit, start, end, self.scale))
        if self.step is None or self.count is None:
            return value
        return self.after(min(math.floor((value - start) / self.step), self.count - 1))

    def after(self, steps: int) -> int | float:
        """Return the value ``steps`` steps above ``low``, and at most ``high``."""
        assert self.step is not None, "a continuous range has no steps"
        value = min(self.low + steps * self.step, self.high)
        return round(value) if self.kind == "int" else float(value)

    def unit_of(self, value: float) -> float:
        """Return the position of a value; ``value_at(unit_of(v)) == v``."""
        return float(to_unit(value, *self.edges, self.scale))


@dataclass(frozen=True)
class Choice:
    """One of ``values``, each equally likely; also for booleans.

    Attributes:
        values: The values.
        when: As for `Range`.
    """

    values: tuple[Any, ...]
    when: When = ()

    @property
    def count(self) -> int:
        """The number of values."""
        return len(self.values)

    def value_at(self, unit: float) -> Any:
        """Return the value at position ``unit`` in [0, 1]."""
        return self.values[min(math.floor(unit * len(self.values)), len(self.values) - 1)]

    def unit_of(self, value: object) -> float:
        """Return the middle of the value's share of [0, 1]."""
        return (self.values.index(value) + 0.5) / len(self.values)


Parameter = Range | Choice


def any_of(value: object) -> tuple[Any, ...]:
    """Return the values of a parent that a condition allows."""
    return value if isinstance(value, tuple) else (value,)


def parents_first(space: Mapping[str, Parameter]) -> list[str]:
    """Return the names with parents before children, independent of the order in the file."""
    remaining, ordered = sorted(space), list[str]()
    while remaining:
        ready = [n for n in remaining if all(parent in ordered for parent, _ in space[n].when)]
        ordered += ready
        remaining = [name for name in remaining if name not in ready]
    return ordered


def active(space: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the active parameters, in the space's order.

    A parameter is active if its parents are, and have the values of its condition.
    """

    def is_active(name: str) -> bool:
        when: When = space[name].when
        return all(is_active(parent) and values[parent] in any_of(v) for parent, v in when)

    return {name: values[name] for name in space if is_active(name)}


def fits(values: Mapping[str, Any], space: Mapping[str, Parameter], names: Collection[str]) -> bool:
    """Return True if a trial can have these values: they are in the space, and none is missing.

    Args:
        values: The values by name.
        space: The parameters by name.
        names: The names that values can have: the space's, and those that a strategy adds.
    """
    missing = [name for name, parameter in space.items() if name not in values]
    return (
        {*values} <= {*names}
        and all(space[name].when for name in missing)
        and all(admits(space[name], values[name]) for name in space if name in values)
    )


def admits(parameter: Parameter, value: object) -> bool:
    """Return True if a parameter can have the value."""
    if isinstance(parameter, Choice):
        return value in parameter.values
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    rounding = 1e-9 * max(abs(parameter.low), abs(parameter.high))
    return parameter.low - rounding <= value <= parameter.high + rounding
