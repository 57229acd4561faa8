"""``[search] objectives``: several objectives, of which the first one is the score."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from tfcourse.errors import one_of, shown
from tfcourse.search.config.metrics import direction_of
from tfcourse.search.config.outputs import Output, objectives
from tfcourse.search.config.strategy_tables import OptunaTable
from tfcourse.search.config.table import Table
from tfcourse.search.config.tables import SearchTable
from tfcourse.search.records.objective import COSTS, Objective

__all__ = ["objectives_of", "objectives_problems", "several_problems", "with_objectives"]

Direction = Literal["max", "min"]
DirectionOf = Callable[[str], Direction | None]
# The strategies, and the samplers of Optuna's, whose trials don't depend on a single score.
STRATEGIES = ("random", "quasi_random", "grid", "tpe", "optuna")
SINGLE_SAMPLERS = ("CmaEsSampler",)
# In the place of objectives that can't be read: every history has it, which is no second error.
LOSS_ALONE = {"objective": "val_loss"}
FORM = 'names such as "val_loss", or tables { name = "val_loss", direction = "min" }'


def with_objectives(search: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """Return ``[search]`` with ``objectives`` as tables, the first one as ``objective`` too.

    A list of one objective is that objective alone.
    """
    if "objectives" not in search:
        return search, []
    rest = {key: value for key, value in search.items() if key != "objectives"}
    received = search["objectives"]
    entries = list(received) if isinstance(received, list | tuple) else []
    tables = [{"name": entry} if isinstance(entry, str) else entry for entry in entries]
    if not tables or not all(map(_is_entry, tables)):
        line = f"[search] objectives must be a list of {FORM}. Received: {shown(received)}."
        return {**LOSS_ALONE, **rest}, [line]
    names = [table["name"] for table in tables]
    if len(set(names)) < len(names):
        line = f"[search] objectives must differ. Received: {shown(names)}."
        return {**LOSS_ALONE, **rest}, [line]
    errors = [
        f"[search] {key} = {shown(rest[key])}, and the first of objectives has {shown(first)}: "
        "name one of them."
        for key, first in (("objective", names[0]), ("direction", tables[0].get("direction")))
        if key in rest and first is not None and rest[key] != first
    ]
    if names[0] in COSTS:
        errors.append(
            f'[search] objectives must begin with a metric or loss, not with "{names[0]}": the '
            "first one is the score of each epoch. Change their order."
        )
    rest["objective"] = next((name for name in names if name not in COSTS), "val_loss")
    if "direction" in tables[0]:
        rest["direction"] = tables[0]["direction"]
    return (rest if len(tables) == 1 else {**rest, "objectives": tables}), errors


def objectives_problems(search: object, outputs: Sequence[Output], any_metric: bool) -> list[str]:
    """Return a line for each error in the names and directions of several objectives.

    `tfcourse.search.config.outputs.validate_objective` has those of the first one.

    Args:
        search: The value of ``[search]`` after `with_objectives`.
        outputs: The outputs of the models, whose losses and metrics a history has.
        any_metric: True if it may have others, which are not known yet.
    """
    choices = objectives(outputs)
    tables = search.get("objectives", ()) if isinstance(search, Mapping) else ()
    lines, known = [], [output.name for output in outputs]
    for table in tables[1:]:
        name = table["name"]
        if name not in choices and name not in COSTS and not any_metric:
            lines.append(one_of("[search] objectives", name, [*choices, *COSTS]))
        elif _direction(table, lambda name: direction_of(name, known)) is None:
            lines.append(
                f'[search] objectives: direction is required for "{name}": '
                f'{{ name = "{name}", direction = "max" }}, or "min".'
            )
    return lines


def several_problems(search: SearchTable, settings: Table | None) -> list[str]:
    """Return a line for each setting that needs a single score, in a search with several."""
    if not search.objectives:
        return []
    remedy = "Leave it out, or name one objective and limit the others in [search.limits]."
    strategy: str = search.strategy
    lines = [
        f"[search] {key} is about one score, and there are {len(search.objectives)} objectives. "
        f"{remedy}"
        for key in ("pruning", "target", "patience")
        if getattr(search, key) is not None
    ]
    if isinstance(settings, OptunaTable) and settings.sampler in SINGLE_SAMPLERS:
        strategy = f"optuna:{settings.sampler}"
    if strategy not in STRATEGIES:
        lines.append(
            f'[search] strategy "{strategy}" learns from one score, and there are '
            f'{len(search.objectives)} objectives. Use "random", "quasi_random", "grid", "tpe" or '
            '"optuna:NSGAIISampler", or name one objective and limit the others in [search.limits].'
        )
    return lines


def objectives_of(
    search: SearchTable, direction: Direction, direction_of: DirectionOf
) -> tuple[Objective, ...]:
    """Return the objectives of a checked config.

    Args:
        search: ``[search]``.
        direction: The better direction of ``objective``.
        direction_of: Returns that of a metric; None if it is not known.
    """
    first = Objective(search.objective, direction)
    others = []
    for table in (search.objectives or ())[1:]:
        better = _direction(table, direction_of)
        assert better is not None, "checked with the config"
        others.append(Objective(table["name"], better))
    return (first, *others)


def _is_entry(table: object) -> bool:
    return (
        isinstance(table, Mapping)
        and isinstance(table.get("name"), str)
        and {*table} <= {"name", "direction"}
        and table.get("direction", "max") in ("max", "min")
    )


def _direction(table: Mapping[str, Any], direction_of: DirectionOf) -> Direction | None:
    better: Direction | None = table.get("direction")
    return better or ("min" if table["name"] in COSTS else direction_of(table["name"]))
