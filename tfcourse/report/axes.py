"""The axes of figures: positions of values on their own scale, and ticks in the values themselves.

Every axis is linear in its positions: the value, its base-10 logarithm, ``-log10(1-β)``, or the
place of a choice. So parallel coordinates and contours, which plotly draws on linear axes only,
have the same scales as all others.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tfcourse.search.results.tables import format_value
from tfcourse.search.space.parameters import Choice, Parameter

__all__ = ["Axis", "axis_of", "equal_steps", "log_ticks", "score_axis"]

# A range with at most this number of values has a tick for each, and its points are spread.
FEW_VALUES = 10
# The share of the distance between two of them over which the points are spread.
SPREAD = 0.3
# More decades have a tick for some of them only.
MOST_DECADES = 7
# Scores over more decades than this one are on a log scale.
SCORE_DECADES = 2
PADDING = 0.08


@dataclass(frozen=True)
class Axis:
    """An axis of a hyperparameter or a score.

    Attributes:
        name: Its name, as plain text.
        position: The position of a value; NaN for one that is not on the axis.
        low: The position of its lower end.
        high: The position of its upper end.
        ticks: Positions and texts; empty if the library that draws it may choose them.
        spread: The distance over which points with the same discrete value are spread.
    """

    name: str
    position: Callable[[object], float]
    low: float
    high: float
    ticks: Sequence[tuple[float, str]] = ()
    spread: float = 0.0

    @property
    def is_choice(self) -> bool:
        """True for the axis of a choice, whose ticks may have long texts."""
        return bool(self.ticks) and (self.low, self.high) == (-0.5, len(self.ticks) - 0.5)

    @property
    def padded(self) -> tuple[float, float]:
        """The ends with some space beyond them."""
        pad = PADDING * (self.high - self.low) or max(abs(self.low) * PADDING, 0.5)
        return self.low - pad, self.high + pad

    def point(self, value: object, number: int) -> float:
        """Return a position near a value, spread by the number of the trial.

        Multiples of the golden ratio fill the unit interval evenly.
        """
        share = number * 0.6180339887 % 1.0
        return self.position(value) + self.spread * (share - 0.5)


def axis_of(name: str, parameter: Parameter) -> Axis:
    """Return the axis of a hyperparameter, on its scale."""
    if isinstance(parameter, Choice):
        values = list(parameter.values)
        ticks = [(float(place), format_value(value)) for place, value in enumerate(values)]

        def place_of(value: object) -> float:
            return float(values.index(value)) if value in values else math.nan

        return Axis(name, place_of, -0.5, len(values) - 0.5, ticks, 0.4)
    position = _POSITIONS[parameter.scale]
    low, high = position(parameter.low), position(parameter.high)
    ticks = _TICKS[parameter.scale](low, high)
    spread = 0.0
    if parameter.count is not None and parameter.count <= FEW_VALUES:
        values = [parameter.after(step) for step in range(parameter.count)]
        ticks = [(position(value), format_value(value)) for value in values]
        near = [b[0] - a[0] for a, b in itertools.pairwise(ticks)]
        spread = SPREAD * min(near, default=1.0)
    return Axis(name, position, low, high, ticks, spread)


def score_axis(name: str, scores: Sequence[float]) -> Axis:
    """Return the axis of scores: on a log scale if they are positive and lie decades apart."""
    finite = [score for score in scores if math.isfinite(score)] or [0.0]
    low, high = min(finite), max(finite)
    if low > 0 and math.log10(high / low) > SCORE_DECADES:
        ends = math.log10(low), math.log10(high)
        return Axis(name, _log, *ends, log_ticks(*ends))
    return Axis(name, _linear, low, high)


def equal_steps(low: float, high: float) -> list[float]:
    """Return two to six multiples of 1, 2 or 5 times a power of ten between two numbers."""
    rough = max((high - low) / 5, abs(low) * 1e-9) or 1.0
    unit = 10 ** math.floor(math.log10(rough))
    step = next(f * unit for f in (1, 2, 5, 10) if f * unit >= rough)
    places = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [float(f"{place * step:.12g}") for place in places]


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return the ticks of a log scale between two base-10 logarithms."""
    return [(math.log10(value), f"{value:g}") for value in _round_numbers(low, high)]


def _round_numbers(low: float, high: float) -> list[float]:
    """Return powers of ten, with 2 and 5 times them over few decades, or equal steps over less."""
    if high - low < 0.7:
        return [number for number in equal_steps(10**low, 10**high) if number > 0]
    every = math.ceil((high - low) / MOST_DECADES)
    factors = (1, 2, 5) if high - low < 1 else (1, 5) if high - low < 2.5 else (1,)
    numbers = [
        float(f"{factor}e{power}")
        for power in range(math.floor(low), math.ceil(high) + 1)
        if power % every == 0
        for factor in factors
    ]
    return [n for n in numbers if low - 1e-9 <= math.log10(n) <= high + 1e-9]


def _complement_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return ticks in β for positions ``-log10(1-β)``."""
    return [
        (-math.log10(number), str(Decimal(1) - Decimal(f"{number:g}")))
        for number in reversed(_round_numbers(-high, -low))
    ]


def _linear(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _log(value: object) -> float:
    return math.log10(value) if isinstance(value, int | float) and value > 0 else math.nan


def _one_minus_log(value: object) -> float:
    return -math.log10(1 - value) if isinstance(value, int | float) and value < 1 else math.nan


def _no_ticks(low: float, high: float) -> list[tuple[float, str]]:
    return []


_POSITIONS = {"linear": _linear, "log": _log, "one_minus_log": _one_minus_log}
_TICKS = {"linear": _no_ticks, "log": log_ticks, "one_minus_log": _complement_ticks}
