"""The checks of ``[[search.start]]``: the values of a search's first trials."""

from collections.abc import Mapping
from typing import Any

from tfcourse.errors import nearest, one_of, shown
from tfcourse.search.config.strategy_tables import HyperbandTable
from tfcourse.search.config.tables import SearchTable, Table, TrainingTable
from tfcourse.search.space.parameters import Choice, Parameter, admits, any_of
from tfcourse.search.strategies.hyperband import hyperband_round

__all__ = ["most_starts", "validate_start"]


def validate_start(
    search: SearchTable,
    settings: Table | None,
    training: TrainingTable | None,
    space: Mapping[str, Parameter],
) -> list[str]:
    """Return a line for each error of the tables.

    Args:
        search: The table that holds them.
        settings: The strategy's settings; None if it has none, or they have errors.
        training: The table of the training; None if it has errors.
        space: The parameters by name.
    """
    if search.start and search.strategy == "grid":
        return ['[[search.start]] can\'t be had with strategy "grid", whose points are fixed.']
    most = most_starts(search, settings, training)
    if len(search.start) > most:
        return [
            f"[[search.start]] must be at most {most} tables, the trials that can begin with "
            f"them. Received: {len(search.start)}."
        ]
    return [
        f"[[search.start]] table {number}: {line}"
        for number, values in enumerate(search.start, 1)
        for name, value in values.items()
        if (line := _error(name, value, values, space)) is not None
    ]


def most_starts(search: SearchTable, settings: Table | None, training: TrainingTable | None) -> int:
    """Return the number of trials that can begin with values of the user's.

    Args:
        search: As for `validate_start`.
        settings: As for `validate_start`.
        training: As for `validate_start`.
    """
    if search.strategy == "grid":
        return 0
    if isinstance(settings, HyperbandTable) and training is not None:  # later ones continue others
        return min(search.trials, hyperband_round(0, training.epochs, settings.factor).size)
    return search.trials


def _error(
    name: str, value: object, values: Mapping[str, Any], space: Mapping[str, Parameter]
) -> str | None:
    if name not in space:
        names = ", ".join(space)
        return f'"{name}" is not in [space].{nearest(name, list(space))} Known: {names}.'
    parameter = space[name]
    if not admits(parameter, value):
        if isinstance(parameter, Choice):
            return one_of(name, value, parameter.values)
        low, high = parameter.low, parameter.high
        return f"{name} must be from {low:g} to {high:g}. Received: {shown(value)}."
    for parent, condition in parameter.when:
        if values.get(parent) not in any_of(condition):
            needed = " or ".join(shown(v) for v in any_of(condition))
            return f"{name} needs {parent} = {needed} in the same table."
    return None
