"""Boxes: a space of which each parameter is drawn from a part only.

The parts are measured in *scale coordinates*, in the unit interval: half of a log range from 1e-4
to 1 are two decades of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfcourse.search.space.parameters import Choice, Range, When

__all__ = ["Box", "Part", "Weighted", "as_record"]


@dataclass(frozen=True)
class Part:
    """A range, drawn from the positions ``start`` to ``end`` of its unit interval only.

    A whole number whose share of the interval is cut keeps the part that is left.
    """

    parameter: Range
    start: float = 0.0
    end: float = 1.0

    @property
    def when(self) -> When:
        """The range's condition."""
        return self.parameter.when

    def value_at(self, unit: float) -> int | float:
        """Return the value at position ``unit`` of the part."""
        position = self.start + (self.end - self.start) * unit
        return self.parameter.value_at(min(max(position, self.start), self.end))


@dataclass(frozen=True)
class Weighted:
    """A choice whose values have the shares ``weights``, which sum to 1."""

    parameter: Choice
    weights: tuple[float, ...]

    @property
    def when(self) -> When:
        """The choice's condition."""
        return self.parameter.when

    def value_at(self, unit: float) -> Any:
        """Return the value at position ``unit`` in [0, 1]."""
        passed = 0.0
        for value, weight in zip(self.parameter.values, self.weights, strict=True):
            passed += weight
            if unit < passed:
                return value
        return self.parameter.values[-1]


Box = dict[str, Part | Weighted]


def as_record(box: Mapping[str, Part | Weighted]) -> dict[str, dict[str, Any]]:
    """Return a box in the words of a config: low, high and scale, or values and their weights."""
    return {
        name: {
            "low": part.value_at(0.0),
            "high": _highest(part),
            "scale": part.parameter.scale,
        }
        if isinstance(part, Part)
        else {"values": list(part.parameter.values), "weights": list(part.weights)}
        for name, part in box.items()
    }


def _highest(part: Part) -> Any:
    """Return the largest value that can be drawn; a stepped part ends where the next one begins."""
    inside = part.parameter.step is not None and part.end < 1
    return part.parameter.value_at(max(part.start, part.end - 1e-9) if inside else part.end)
