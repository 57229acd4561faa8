"""The configurations of discrete spaces: their number, and one that was not drawn yet.

A configuration is the values of the active parameters. No function lists a whole space: a count
stops at its limit, and the search for a new configuration at the first one.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from tfcourse.search.space.parameters import Choice, Parameter, any_of, parents_first
from tfcourse.search.space.sampling import position, sample

__all__ = [
    "Configuration",
    "configuration_count",
    "configuration_of",
    "is_discrete",
    "new_sample",
    "new_values",
]

Configuration = frozenset[tuple[str, Any]]

# Draws before the configurations are listed; one or two suffice while most are left.
MOST_DRAWS = 32


def is_discrete(space: Mapping[str, Parameter]) -> bool:
    """Return True if no parameter is a continuous range."""
    return all(parameter.count is not None for parameter in space.values())


def configuration_of(space: Mapping[str, Any], values: Mapping[str, Any]) -> Configuration:
    """Return the configuration of a trial, without values that are not in the space.

    Floats count with 12 digits: a user's 0.051 is the step 0.001 + 0.05.
    """
    return frozenset((name, _rounded(value)) for name, value in values.items() if name in space)


def _rounded(value: Any) -> Any:
    return float(f"{value:.12g}") if isinstance(value, float) else value


def configuration_count(space: Mapping[str, Parameter], at_most: int) -> int:
    """Return the number of configurations of a discrete space, and at most ``at_most``."""
    always = math.prod(p.count or 1 for p in space.values() if not p.when)
    if always >= at_most:
        return at_most
    return sum(1 for _ in islice(_configurations(space, lambda name: 0.0), at_most))


def new_values(
    space: Mapping[str, Parameter],
    values: dict[str, Any],
    seed: int,
    trial: int,
    earlier: Collection[Configuration],
    box: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the values, or new ones where an earlier trial of a discrete space had the same.

    Args:
        space: The space.
        values: The values that a strategy proposes.
        seed: The search's seed.
        trial: The trial's number.
        earlier: The configurations of other trials.
        box: The part of the space to draw from; the whole space by default.
    """
    if not is_discrete(space) or configuration_of(space, values) not in earlier:
        return values
    return new_sample(space, box or space, seed, trial, earlier) or values


def new_sample(
    space: Mapping[str, Parameter],
    box: Mapping[str, Any],
    seed: int,
    trial: int,
    earlier: Collection[Configuration],
) -> dict[str, Any] | None:
    """Return values that were not drawn before; None if there are no others.

    They are drawn by `sample` from the box, again if they are not new, then from the space. After
    that they are the first new ones in an order that depends on the seed and the trial.

    Args:
        space: The discrete space.
        box: The space, or a part of it.
        seed: The search's seed.
        trial: The trial's number.
        earlier: The configurations of other trials.
    """
    for attempt in range(2 * MOST_DRAWS):
        values = sample(box if attempt < MOST_DRAWS else space, seed, trial, attempt)
        if configuration_of(space, values) not in earlier:
            return values
    for values in _configurations(space, partial(position, seed, trial)):
        if configuration_of(space, values) not in earlier:
            return {name: values[name] for name in space if name in values}
    return None


def _configurations(
    space: Mapping[str, Parameter], start: Callable[[str], float]
) -> Iterator[dict[str, Any]]:
    """Yield each configuration once; a parameter's values begin at ``start(name)`` in [0, 1)."""
    names = parents_first(space)

    def complete(place: int, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if place == len(names):
            yield values
            return
        name = names[place]
        when = space[name].when
        if all(parent in values and values[parent] in any_of(v) for parent, v in when):
            for value in _values(space[name], start(name)):
                yield from complete(place + 1, {**values, name: value})
        else:
            yield from complete(place + 1, values)

    return complete(0, {})


def _values(parameter: Parameter, start: float) -> Iterator[Any]:
    count = parameter.count or 0
    first = int(start * count)
    for number in range(count):
        place = (first + number) % count
        if isinstance(parameter, Choice):
            yield parameter.values[place]
        else:
            yield parameter.after(place)
