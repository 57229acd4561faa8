"""Search spaces as coordinates: what a Gaussian process measures distances between trials in."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcourse.search.space.parameters import Choice, Parameter, Range, active, any_of

__all__ = ["Array", "Coordinates", "Places"]

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Beyond it the values of a stepped range lie so close that they are treated as continuous.
MOST_STEPS = 1000
# A parameter whose condition does not hold lies in the middle: its parents tell it apart.
INACTIVE = 0.5


class Coordinates:
    """A space's map from positions, one in [0, 1) a parameter, to the points of a process.

    A range has one coordinate, its position on its scale, moved to that of the nearest value where
    it has steps. A choice has one a value, ``1/√2`` for the chosen one and 0 for the others: two
    different values are 1 apart.

    Args:
        space: The parameters by name.

    Attributes:
        names: The parameters' names, sorted: their order in a file must not matter.
        columns: For each coordinate, the place of its parameter among the names.
    """

    def __init__(self, space: Mapping[str, Parameter]) -> None:
        self.space = space
        self.names = sorted(space)
        self._steps = {n: _steps(p) for n, p in space.items() if isinstance(p, Range)}
        parameters = [space[name] for name in self.names]
        widths = [p.count if isinstance(p, Choice) else 1 for p in parameters]
        self.columns = np.repeat(np.arange(len(self.names)), widths)

    def units(self, trials: Sequence[Mapping[str, Any]]) -> Array:
        """Return the positions of trials' values, one trial in a row."""
        units = np.full((len(trials), len(self.names)), INACTIVE)
        for row, values in enumerate(trials):
            for column, name in enumerate(self.names):
                if name in values:
                    units[row, column] = self.space[name].unit_of(values[name])
        return units

    def values(self, units: Array) -> dict[str, Any]:
        """Return the values at one row of positions, without those that are not active."""
        position = dict(zip(self.names, units.tolist(), strict=True))
        return active(self.space, {n: p.value_at(position[n]) for n, p in self.space.items()})

    def points(self, units: Array) -> Array:
        """Return the process's points at positions, both one in a row."""
        choice_places = {
            name: _places(parameter, units[:, column])
            for column, name in enumerate(self.names)
            if isinstance(parameter := self.space[name], Choice)
        }
        masks: dict[str, Mask] = {}
        parts = []
        for column, name in enumerate(self.names):
            parameter = self.space[name]
            holds = self._holds(name, choice_places, len(units), masks)
            if isinstance(parameter, Choice):
                hot = choice_places[name][:, None] == np.arange(parameter.count)
                parts.append(np.where(hot & holds[:, None], np.sqrt(0.5), 0.0))
                continue
            position, steps = units[:, column], self._steps[name]
            if steps is not None:
                edges, middles = steps
                position = middles[np.searchsorted(edges, position, side="right")]
            parts.append(np.where(holds, position, INACTIVE)[:, None])
        return np.concatenate(parts, axis=1)

    def _holds(
        self,
        name: str,
        choice_places: Mapping[str, Places],
        count: int,
        masks: dict[str, Mask],
    ) -> Mask:
        """Return where a parameter is active."""
        if name not in masks:
            holds = np.ones(count, bool)
            for parent, allowed in self.space[name].when:
                of = self.space[parent]
                assert isinstance(of, Choice), "checked with the config"
                places = [place for place, v in enumerate(of.values) if v in any_of(allowed)]
                holds &= self._holds(parent, choice_places, count, masks)
                holds &= np.isin(choice_places[parent], places)
            masks[name] = holds
        return masks[name]


def _places(choice: Choice, positions: Array) -> Places:
    """Return the place of the value at each position."""
    return np.minimum(positions * choice.count, choice.count - 1).astype(np.int64)


def _steps(parameter: Range) -> tuple[Array, Array] | None:
    """Return the ends between a stepped range's values and the values' positions."""
    if parameter.step is None or parameter.count is None or parameter.count > MOST_STEPS:
        return None
    values = [parameter.after(place) for place in range(parameter.count)]
    starts = [parameter.edges[0] + place * parameter.step for place in range(1, parameter.count)]
    return (
        np.array([parameter.unit_of(start) for start in starts]),
        np.array([parameter.unit_of(value) for value in values]),
    )
