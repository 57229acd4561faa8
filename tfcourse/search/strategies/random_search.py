"""Random search (course 1.2): each trial's values are drawn from the whole space."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tfcourse.search.space.discrete import configuration_of, is_discrete, new_values
from tfcourse.search.space.parameters import When
from tfcourse.search.space.sampling import sample
from tfcourse.search.strategies.study import Memo, Records, Strategy, Study

__all__ = ["RANDOM", "draw"]


def draw(
    study: Study,
    trial: int,
    finished: Records,
    memo: Memo,
    box_of: Callable[[int], Mapping[str, Any] | None] | None = None,
    point: Callable[[Mapping[str, Any], int, int], dict[str, Any]] = sample,
) -> dict[str, Any]:
    """Return random values; in a discrete space, values that no earlier trial drew.

    The first trials have the values of ``study.start``, as far as those are there. A trial on
    record keeps the values of its record, also where an earlier version drew values with
    repetition.

    Args:
        study: The study.
        trial: The trial's number, from 0.
        finished: The records of trials that have ended, by number.
        memo: The draws of earlier calls for the same study.
        box_of: Returns the box that a trial draws from, None for a trial that draws nothing.
            Without it every trial draws from the whole space.
        point: Returns the values of a trial from (box, seed, trial). Where a discrete space has
            had them, others are drawn.
    """
    space, seed = study.space, study.seed
    box_of = box_of or (lambda number: space)
    if not is_discrete(space):
        return point(_with_start(study, trial, box_of(trial) or space), seed, trial)
    for number in range(len(memo.draws), trial + 1):
        box = box_of(number)
        if box is None:
            memo.draws[number] = None
            continue
        values = dict(finished[number].values) if number in finished else None
        if values is None and number < len(study.start):
            values = sample(_with_start(study, number, box), seed, number)
        if values is None:
            # The same after the last new configuration; no trial of a search comes there.
            values = point(box, seed, number)
            values = new_values(space, values, seed, number, memo.configurations, box)
        memo.draws[number] = {name: value for name, value in values.items() if name in space}
        memo.configurations.add(configuration_of(space, values))
    return memo.draws[trial] or {}


@dataclass(frozen=True)
class _Fixed:
    """A parameter that has one value, under its condition."""

    value: Any
    when: When

    def value_at(self, unit: float) -> Any:
        """Return the value."""
        return self.value


def _with_start(study: Study, trial: int, box: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the box with the values that the study's start has for the trial."""
    if trial >= len(study.start):
        return box
    values = study.start[trial].items()
    return {**box, **{name: _Fixed(value, box[name].when) for name, value in values}}


RANDOM = Strategy(draw)
