"""Scales to search on: bijections between the unit interval and a range (course 1.4 and 1.5).

A point drawn uniformly from [0, 1] and mapped by a scale is uniform *on that scale*:
``log`` gives each decade of a learning rate the same share, ``one_minus_log`` each decade of 1-β.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tfcourse.types import Array, TensorLike

__all__ = ["SCALES", "Scale", "to_unit", "to_value"]


@dataclass(frozen=True)
class Scale:
    """A monotone map ``forward`` from values to coordinates, its ``inverse``, and its domain.

    ``admits(low, high)`` is empty where the range lies in the scale's domain, and otherwise the
    condition on the range in words.
    """

    name: str
    forward: Callable[[TensorLike], Array]
    inverse: Callable[[TensorLike], Array]
    admits: Callable[[float, float], str]


def _identity(value: TensorLike) -> Array:
    return np.asarray(value)


def _log(value: TensorLike) -> Array:
    coordinate: Array = np.log(value)
    return coordinate


def _exp(coordinate: TensorLike) -> Array:
    value: Array = np.exp(coordinate)
    return value


def _one_minus_log(value: TensorLike) -> Array:
    return -np.log1p(-np.asarray(value, dtype=np.float64))


def _one_minus_exp(coordinate: TensorLike) -> Array:
    return -np.expm1(-np.asarray(coordinate, dtype=np.float64))


SCALES: dict[str, Scale] = {
    "linear": Scale("linear", _identity, _identity, lambda low, high: ""),
    "log": Scale("log", _log, _exp, lambda low, high: "" if low > 0 else "low > 0"),
    "one_minus_log": Scale(
        "one_minus_log",
        _one_minus_log,
        _one_minus_exp,
        lambda low, high: "" if high < 1 else "high < 1",
    ),
}


def to_value(unit: TensorLike, low: float, high: float, scale: str) -> Array:
    """Return the value at position ``unit`` (0 → low, 1 → high) of a range, measured on ``scale``.

    ``log``: ``10^(a + (b-a)u)`` with a, b the exponents of low and high (erratum E1 corrected).
    ``one_minus_log``: ``1 - 10^r`` with r uniform between the exponents of 1-low and 1-high.

    Args:
        unit: Position in [0, 1], a number or an array.
        low: Lower end.
        high: Upper end.
        scale: ``"linear"``, ``"log"`` (low > 0) or ``"one_minus_log"`` (high < 1).
    """
    mapping = SCALES[scale]
    start, end = mapping.forward(low), mapping.forward(high)
    unit = np.asarray(unit)
    value = np.clip(mapping.inverse(start + (end - start) * unit), low, high)
    return np.where(unit == 0, low, np.where(unit == 1, high, value))[()]


def to_unit(value: TensorLike, low: float, high: float, scale: str) -> Array:
    """Return the position in [0, 1] of a value, the inverse of `to_value`; 0.5 if low = high."""
    mapping = SCALES[scale]
    start, end = mapping.forward(low), mapping.forward(high)
    if start == end:
        return np.full_like(np.asarray(value, dtype=np.float64), 0.5)
    unit: Array = np.clip((mapping.forward(value) - start) / (end - start), 0.0, 1.0)
    return unit
