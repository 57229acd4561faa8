"""The settings of a strategy, and whether the space suits it."""

import importlib.util
from collections.abc import Mapping
from typing import Any, get_args

from tfcourse.search.config.tables import STRATEGIES, SearchTable, Table, TrainingTable, parse
from tfcourse.search.space.discrete import configuration_count, is_discrete
from tfcourse.search.space.parameters import Parameter, Range
from tfcourse.search.strategies.grid import grid_problems
from tfcourse.search.strategies.hyperband import hyperband_round

__all__ = ["HYPERBAND_VALUES", "misfits", "strategy_settings", "trials_of"]

# What hyperband adds to a trial's values: how long it trains, and the trial whose run it goes on.
HYPERBAND_VALUES = ("epochs", "continues")


def strategy_settings(raw: Any) -> tuple[Any, Table | None, list[str]]:
    """``[search]`` without the strategies' own tables, the chosen one's, and its errors."""
    if not isinstance(raw, Mapping):
        return raw, None, []
    rest = {key: value for key, value in raw.items() if key not in STRATEGIES}
    strategy = raw.get("strategy", "random")
    if strategy not in get_args(SearchTable.model_fields["strategy"].annotation):
        return rest, None, []  # nothing can be said of the settings of an unknown one
    errors = [
        f'[search.{name}] is for strategy "{name}" only. Received: "{strategy}".'
        for name in STRATEGIES
        if name in raw and name != strategy
    ]
    if strategy not in STRATEGIES:
        return rest, None, errors
    settings, lines = parse(STRATEGIES[strategy], raw.get(strategy, {}), f"search.{strategy}")
    return rest, settings, errors + lines


def trials_of(search: SearchTable, space: Mapping[str, Parameter]) -> int:
    """Return how many trials there are: as many as are asked for, or as can be different.

    A discrete space ends with its last configuration. Of a grid's points and hyperband's rounds no
    more may be asked for than there are.
    """
    if search.strategy in ("grid", "hyperband") or not is_discrete(space):
        return search.trials
    return configuration_count(space, search.trials)


def misfits(
    search: SearchTable,
    settings: Any,
    training: TrainingTable | None,
    space: Mapping[str, Parameter],
) -> list[str]:
    """A line for each way in which the space does not fit the strategy."""
    if search.strategy == "grid":
        return grid_problems(space, search.trials)
    errors = [
        f'[space.{name}] points is for strategy "grid" only. Received: "{search.strategy}".'
        for name, parameter in space.items()
        if isinstance(parameter, Range) and parameter.points is not None
    ]
    if search.strategy == "bayesian" and importlib.util.find_spec("sklearn") is None:
        errors.append(
            '[search] strategy "bayesian" needs scikit-learn. Install it: pip install scikit-learn.'
        )
    if search.strategy == "hyperband":
        errors += [
            f'[space.{name}] is set by strategy "hyperband" itself and can\'t be searched.'
            for name in HYPERBAND_VALUES
            if name in space
        ]
        if not errors and settings is not None and training is not None and is_discrete(space):
            errors += _too_few(search.trials, training.epochs, settings.factor, space)
    return errors


def _too_few(trials: int, epochs: int, factor: int, space: Mapping[str, Parameter]) -> list[str]:
    """A line for a discrete space that hyperband's rounds would begin more often than it has."""
    begins = [t for t in range(trials) if hyperband_round(t, epochs, factor).before is None]
    count = configuration_count(space, len(begins))
    if count == len(begins):
        return []
    return [
        f"[search] trials must be <= {begins[count]}: hyperband begins with a new configuration "
        f"in {len(begins)} of the {trials}, and [space] has {count}. Widen the space, or use "
        'strategy "grid".'
    ]
