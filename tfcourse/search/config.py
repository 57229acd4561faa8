"""A search's TOML file → `SearchConfig`, checked in full; every error is reported at once."""

import importlib.util
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import tomli_w

from tfcourse.data.sources import check_source
from tfcourse.errors import InputError, nearest, one_of
from tfcourse.search.builders import Builder, find_builder
from tfcourse.search.checks import check_fixed, parse_space
from tfcourse.search.grid import grid_problems
from tfcourse.search.parameters import Parameter, Range
from tfcourse.search.tables import (
    STRATEGIES,
    DataTable,
    ModelTable,
    SearchTable,
    Table,
    TrainingTable,
    parse,
)

__all__ = ["HYPERBAND_VALUES", "OBJECTIVES", "SearchConfig", "load_config", "parse_config"]

OBJECTIVES = ("val_accuracy", "val_loss", "accuracy", "loss")
# What hyperband adds to a trial's values: how long it trains, and the trial whose run it goes on.
HYPERBAND_VALUES = ("epochs", "continues")

_TABLES: dict[str, type[Table]] = {
    "search": SearchTable,
    "data": DataTable,
    "model": ModelTable,
    "training": TrainingTable,
}


@dataclass(frozen=True)
class SearchConfig:
    """A search, checked: what to run, on what, over which space.

    ``settings`` are the strategy's own, None where it has none; ``origin`` is the file it came
    from, for error messages.
    """

    search: SearchTable
    settings: Any
    data: DataTable
    model: ModelTable
    training: TrainingTable
    space: Mapping[str, Parameter]
    builder: Builder
    raw_space: Mapping[str, Any]
    origin: str = field(compare=False)

    @property
    def direction(self) -> Literal["max", "min"]:
        """Whether the objective is to be large or small; a loss is to be small."""
        inferred: Literal["max", "min"] = "min" if "loss" in self.search.objective else "max"
        return self.search.direction or inferred

    @property
    def columns(self) -> list[str]:
        """The names that a trial's values can have; hyperband sets its epochs as well."""
        return [*self.space, *(HYPERBAND_VALUES if self.search.strategy == "hyperband" else ())]

    def as_tables(self) -> dict[str, Any]:
        """The config as run, all defaults filled in, as the tables of a TOML file."""
        own: dict[str, Any] = {}
        if self.settings is not None:
            own[self.search.strategy] = self.settings.model_dump(exclude_none=True)
        search = self.search.model_copy(update={"direction": self.direction})
        tables = {
            "search": search.model_dump(exclude_none=True) | own,
            "data": self.data.model_dump(exclude_none=True) | {"split": list(self.data.split)},
            "model": self.model.model_dump(exclude_none=True),
            "training": self.training.model_dump(exclude_none=True),
        }
        return {**tables, "space": {name: dict(table) for name, table in self.raw_space.items()}}

    def as_toml(self) -> str:
        """`as_tables` as the text of a TOML file, which can be searched again."""
        return tomli_w.dumps(self.as_tables())


def load_config(
    path: Path, *, trials: int | None = None, epochs: int | None = None, seed: int | None = None
) -> SearchConfig:
    """Reads and checks a search's TOML file.

    Args:
        path: The file. A relative ``[data] path`` is relative to its folder.
        trials: Replaces ``[search] trials``.
        epochs: Replaces ``[training] epochs``.
        seed: Replaces ``[search] seed``.

    Raises:
        InputError: The file can't be read, or holds errors: a line for each.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}.") from None
    overrides = {"search": {"trials": trials, "seed": seed}, "training": {"epochs": epochs}}
    for table, values in overrides.items():
        given = {key: value for key, value in values.items() if value is not None}
        if given and isinstance(raw.setdefault(table, {}), dict):
            raw[table].update(given)
    return parse_config(raw, str(path), path.parent)


def parse_config(raw: Mapping[str, Any], origin: str, folder: Path) -> SearchConfig:
    """Checks the tables of a search; ``origin`` names them in the errors.

    Raises:
        InputError: Every error, a line each.
    """
    tables = {name: raw.get(name, {}) for name in (*_TABLES, "space")}
    errors = [
        f"[{name}] is not a known table.{nearest(name, tables)} Known: {', '.join(tables)}."
        for name in raw
        if name not in tables
    ]
    parsed: dict[str, Any] = {}
    tables["search"], settings, lines = _settings(tables["search"])
    errors += lines
    for name, model in _TABLES.items():
        parsed[name], lines = parse(
            model, tables[name], name, STRATEGIES if name == "search" else ()
        )
        errors += lines

    # The raw one: it is judged also where another key keeps the table from being parsed.
    objective = tables["search"].get("objective") if isinstance(tables["search"], Mapping) else None
    if isinstance(objective, str) and objective not in OBJECTIVES:
        errors.append(one_of("[search] objective", objective, OBJECTIVES))
    parsed["data"] = _check_data(parsed["data"], folder, errors)
    builder = _find(parsed["model"], errors)
    # A table that didn't parse has its own errors; its names must not cause others here.
    space, space_lines = parse_space(tables["space"], builder, parsed["training"])
    errors += space_lines
    errors += check_fixed(builder, parsed["model"], parsed["training"], space)
    if parsed["search"] is not None and not space_lines:
        errors += _misfits(parsed["search"], space)
    if errors:
        raise InputError("\n".join(f"{origin}: {line}" for line in errors))
    assert builder is not None
    return SearchConfig(
        **parsed,
        settings=settings,
        space=space,
        builder=builder,
        raw_space=tables["space"],
        origin=origin,
    )


def _settings(raw: Any) -> tuple[Any, Table | None, list[str]]:
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


def _misfits(search: SearchTable, space: Mapping[str, Parameter]) -> list[str]:
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


def _check_data(table: DataTable | None, folder: Path, errors: list[str]) -> DataTable | None:
    if table is None:
        return None
    if len(table.split) != 3 or min(table.split) <= 0 or abs(sum(table.split) - 1) > 1e-6:
        errors.append(
            "[data] split must be three shares > 0 that sum to 1 (train, dev, test). "
            f"Received: {list(table.split)}."
        )
    if table.path is not None:
        table = table.model_copy(update={"path": str((folder / table.path).resolve())})
    try:
        check_source(table.source, None if table.path is None else Path(table.path))
    except InputError as error:
        errors.append(f"[data] {error}")
    return table


def _find(table: ModelTable | None, errors: list[str]) -> Builder | None:
    if table is None:
        return None
    try:
        return find_builder(table.builder)
    except InputError as error:
        errors.append(f"[model] {error}")
        return None
