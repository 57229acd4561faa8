"""The settings of a strategy, and the check of the space against it."""

import importlib.util
from collections.abc import Mapping
from typing import Any, get_args

from tfcourse.errors import shown
from tfcourse.search.config.objectives import several_problems, with_objectives
from tfcourse.search.config.parsing import parse
from tfcourse.search.config.samplers import sampler_problems
from tfcourse.search.config.strategy_tables import STRATEGIES, HyperbandTable, SamplerTable
from tfcourse.search.config.tables import SearchTable, Table, TrainingTable
from tfcourse.search.space.discrete import configuration_count, is_discrete
from tfcourse.search.space.parameters import Choice, Parameter, Range
from tfcourse.search.strategies.grid import grid_problems
from tfcourse.search.strategies.hyperband import hyperband_round

__all__ = ["HYPERBAND_VALUES", "strategy_settings", "trials_of", "validate_strategy"]

# The values that hyperband adds to a trial: its epochs, and the trial that it continues.
HYPERBAND_VALUES = ("epochs", "continues")


def strategy_settings(raw: object) -> tuple[object, Table | None, list[str]]:
    """Return ``[search]`` without strategies' tables, the table of its strategy, and errors."""
    if not isinstance(raw, Mapping):
        return raw, None, []
    raw, errors = with_sampler(raw)
    raw, lines = with_objectives(raw)
    errors += lines
    rest = {key: value for key, value in raw.items() if key not in STRATEGIES}
    strategy = raw.get("strategy", "random")
    if strategy not in get_args(SearchTable.model_fields["strategy"].annotation):
        return rest, None, errors  # the settings of an unknown strategy can't be checked
    errors += [
        f'[search.{name}] is for strategy "{name}" only. Received: "{strategy}".'
        for name in STRATEGIES
        if name in raw and name != strategy
    ]
    if strategy not in STRATEGIES:
        return rest, None, errors
    settings, lines = parse(STRATEGIES[strategy], raw.get(strategy, {}), f"search.{strategy}")
    return rest, settings, errors + lines


def with_sampler(raw: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """Return ``[search]`` with ``strategy = "optuna:SAMPLER"`` as the strategy and its table.

    With errors, if ``[search.optuna]`` names another sampler.
    """
    strategy, colon, sampler = str(raw.get("strategy", "")).partition(":")
    table = raw.get("optuna", {})
    if strategy != "optuna" or not colon or not isinstance(table, Mapping):
        return raw, []
    named = table.get("sampler", sampler)
    errors = (
        []
        if named == sampler
        else [
            f'[search] strategy "optuna:{sampler}", and [search.optuna] sampler = {shown(named)}: '
            "name one of them."
        ]
    )
    return {**raw, "strategy": strategy, "optuna": {"sampler": sampler, **table}}, errors


def trials_of(search: SearchTable, space: Mapping[str, Parameter]) -> int:
    """Return the number of trials: ``[search] trials``, or fewer if they would not all differ.

    The search of a discrete space ends with its last configuration. A grid and hyperband have
    checks of their own.
    """
    if search.strategy in ("grid", "hyperband") or not is_discrete(space):
        return search.trials
    return configuration_count(space, search.trials)


def validate_strategy(
    search: SearchTable,
    settings: Table | None,
    training: TrainingTable | None,
    space: Mapping[str, Parameter],
) -> list[str]:
    """Return a line for each way in which the space or the pruning does not suit the strategy."""
    pruning = _validate_pruning(search, training, space)
    if search.strategy == "grid":
        several = several_problems(search, settings)
        return [*several, *pruning, *grid_problems(space, search.trials)]
    errors = several_problems(search, settings) + pruning
    errors += [
        f'[space.{name}] points is for strategy "grid" only. Received: "{search.strategy}".'
        for name, parameter in space.items()
        if isinstance(parameter, Range) and parameter.points is not None
    ]
    if search.strategy == "bayesian" and importlib.util.find_spec("sklearn") is None:
        errors.append(
            '[search] strategy "bayesian" needs scikit-learn. Install it: pip install scikit-learn.'
        )
    if isinstance(settings, SamplerTable):
        count = len(search.objectives or [search.objective])
        errors += sampler_problems(search.strategy, settings, space, count)
    if search.strategy == "hyperband":
        if search.patience is not None:
            errors.append(
                '[search] patience is not for strategy "hyperband", whose first trials train for '
                "few epochs. Remove it, or use target or max_seconds."
            )
        errors += [
            f'[space.{name}] is set by strategy "hyperband" itself and can\'t be searched.'
            for name in HYPERBAND_VALUES
            if name in space
        ]
        if errors or training is None or not isinstance(settings, HyperbandTable):
            return errors
        if is_discrete(space):
            errors += _validate_hyperband(search.trials, training.epochs, settings.factor, space)
    return errors


def _validate_pruning(
    search: SearchTable, training: TrainingTable | None, space: Mapping[str, Parameter]
) -> list[str]:
    if search.pruning is None or training is None:
        return []
    searched, epochs = space.get("epochs"), [training.epochs]
    if searched is not None:
        epochs = epochs if searched.when else []
        epochs += searched.values if isinstance(searched, Choice) else [int(searched.high)]
    return search.pruning.problems(search.strategy, max(epochs), training.folds * training.repeats)


def _validate_hyperband(
    trials: int, epochs: int, factor: int, space: Mapping[str, Parameter]
) -> list[str]:
    """Return a line if a discrete space has fewer configurations than hyperband's rounds begin."""
    begins = [t for t in range(trials) if hyperband_round(t, epochs, factor).before is None]
    count = configuration_count(space, len(begins))
    if count == len(begins):
        return []
    return [
        f"[search] trials must be <= {begins[count]}: hyperband begins with a new configuration "
        f"in {len(begins)} of the {trials}, and [space] has {count}. Widen the space, or use "
        'strategy "grid".'
    ]
