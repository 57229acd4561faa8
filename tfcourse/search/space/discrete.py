"""Discrete spaces: how many configurations they have, and one that was not drawn yet.

A configuration is the values of the active parameters. None of this lists a whole space: a count
stops where it is known to be large enough, and looking for a new configuration stops at the first.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from tfcourse.search.space.parameters import Choice, Parameter, any_of
from tfcourse.search.space.sampling import position, sample

__all__ = ["Configuration", "configuration_count", "configuration_of", "is_discrete", "new_sample"]

Configuration = frozenset[tuple[str, Any]]

# Draws before the configurations are listed: in a space of which most is left, one or two do.
MOST_DRAWS = 32


def is_discrete(space: Mapping[str, Parameter]) -> bool:
    """Return whether no parameter is a continuous range."""
    return all(parameter.count is not None for parameter in space.values())


def configuration_of(space: Mapping[str, Any], values: Mapping[str, Any]) -> Configuration:
    """Return the configuration of a trial, without what is not of the space, such as its epochs."""
    return frozenset((name, value) for name, value in values.items() if name in space)


def configuration_count(space: Mapping[str, Parameter], at_most: int) -> int:
    """Return how many different configurations a discrete space has, or ``at_most`` if fewer."""
    always = math.prod(p.count or 1 for p in space.values() if not p.when)
    if always >= at_most:
        return at_most
    return sum(1 for _ in islice(_configurations(space, lambda name: 0.0), at_most))


def new_sample(
    space: Mapping[str, Parameter],
    box: Mapping[str, Any],
    seed: int,
    trial: int,
    drawn: Collection[Configuration],
) -> dict[str, Any] | None:
    """Return values that are not among those drawn before, None if there are no others.

    They are `sample` from the box where that is new; else drawn again, from the box and then from
    the space; else the first new ones in an order that comes from the seed and the trial.

    Args:
        space: The discrete space.
        box: What to draw from: the space, or a part of it.
        seed: The search's seed.
        trial: The trial's number.
        drawn: The configurations of other trials.
    """
    for attempt in range(2 * MOST_DRAWS):
        values = sample(box if attempt < MOST_DRAWS else space, seed, trial, attempt)
        if configuration_of(space, values) not in drawn:
            return values
    for values in _configurations(space, partial(position, seed, trial)):
        if configuration_of(space, values) not in drawn:
            return {name: values[name] for name in space if name in values}
    return None


def _configurations(space: Mapping[str, Parameter], start: Any) -> Iterator[dict[str, Any]]:
    """Yield each configuration once; a parameter's values begin at ``start(name)`` in [0, 1)."""
    names = _parents_first(space)

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


def _parents_first(space: Mapping[str, Parameter]) -> list[str]:
    """Return the names in an order that does not depend on the file's, parents before children."""
    left, ordered = sorted(space), list[str]()
    while left:
        ready = [n for n in left if all(parent in ordered for parent, _ in space[n].when)]
        ordered += ready
        left = [name for name in left if name not in ready]
    return ordered
