"""A grid (course 1.2 advises against it): every combination of the parameters' values."""

import hashlib
import itertools
import math
from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

from tfcourse.search.space.parameters import Choice, Parameter, Range, active
from tfcourse.search.strategies.study import Strategy

__all__ = ["GRID", "LARGEST_GRID", "grid_problems", "grid_size", "grid_values"]

LARGEST_GRID = 100_000


def grid_problems(space: Mapping[str, Parameter], trials: int | None) -> list[str]:
    """Return a line for each parameter without a grid, or one for a grid that does not fit."""
    problems = [
        f"[space.{name}] points or step is required by the grid, which can't hold every number "
        f"from {parameter.low} to {parameter.high}."
        for name, parameter in space.items()
        if isinstance(parameter, Range) and not parameter.step and not parameter.points
    ]
    if problems:
        return problems
    upper = math.prod(_count(parameter) for parameter in space.values())
    if upper > LARGEST_GRID:
        return [
            f"[space] has a grid of {upper} points. At most {LARGEST_GRID} are searched: give "
            "fewer values, fewer points or a larger step."
        ]
    size = grid_size(space)
    if trials is not None and trials > size:
        return [f"[search] trials must be <= {size}, the points of the grid. Received: {trials}."]
    return []


def grid_size(space: Mapping[str, Parameter]) -> int:
    """Return the number of different points; a parameter that is not active has no value."""
    return len(_places(tuple(sorted(space.items(), key=itemgetter(0)))))


def grid_values(space: Mapping[str, Parameter], seed: int, trial: int) -> dict[str, Any]:
    """Return the values of a trial: the grid's points in an order drawn from the seed.

    A search of fewer trials than points covers the grid evenly, and not one corner of it.
    """
    # Sorted: the tables' order in the file must not matter.
    points = _places(tuple(sorted(space.items(), key=itemgetter(0))))
    order = _order(seed, len(points))
    place = dict(points[order[trial]])
    return {name: _value(space[name], place[name]) for name in space if name in place}


@lru_cache(maxsize=4)
def _places(items: tuple[tuple[str, Parameter], ...]) -> list[tuple[tuple[str, int], ...]]:
    """Return the points as (name, index of the value), in lexicographic order, each once."""
    space = dict(items)
    points: dict[tuple[tuple[str, int], ...], None] = {}
    for places in itertools.product(*(range(_count(p)) for p in space.values())):
        point = dict(zip(space, places, strict=True))
        values = {
            n: p.values[point[n]] if isinstance(p, Choice) else None for n, p in space.items()
        }
        points[tuple((name, point[name]) for name in active(space, values))] = None
    return list(points)


@lru_cache(maxsize=4)
def _order(seed: int, count: int) -> list[int]:
    """Return the numbers below ``count``, sorted by a hash of (seed, number)."""
    return sorted(range(count), key=lambda i: hashlib.sha256(f"grid {seed} {i}".encode()).digest())


def _count(parameter: Parameter) -> int:
    count = parameter.count
    return count if count is not None else getattr(parameter, "points", None) or 1


def _value(parameter: Parameter, place: int) -> Any:
    if isinstance(parameter, Choice):
        return parameter.values[place]
    if parameter.step is not None:
        return parameter.after(place)
    # Both ends of the range, and evenly between them on its scale.
    count = _count(parameter)
    return parameter.value_at(place / (count - 1) if count > 1 else 0.5)


GRID = Strategy(lambda study, trial, records, memo: grid_values(study.space, study.seed, trial))
