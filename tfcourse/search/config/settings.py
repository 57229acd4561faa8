"""The settings of a strategy, and whether the space suits it."""

import importlib.util
from collections.abc import Mapping
from typing import Any, get_args

from tfcourse.search.config.tables import STRATEGIES, SearchTable, Table, parse
from tfcourse.search.space.parameters import Parameter, Range
from tfcourse.search.strategies.grid import grid_problems

__all__ = ["HYPERBAND_VALUES", "misfits", "strategy_settings"]

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


def misfits(search: SearchTable, space: Mapping[str, Parameter]) -> list[str]:
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
    return errors
