"""A search's TOML file → `SearchConfig`, checked in full; every error is reported at once."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfcourse.data.arrays import ArrayData
from tfcourse.data.sources import check_source
from tfcourse.errors import InputError, error_line, nearest, shown
from tfcourse.models.build import BUILDERS
from tfcourse.search.config.builders import Builder, find_builder, imported_when_called, whole_space
from tfcourse.search.config.checks import check_fixed, parse_space
from tfcourse.search.config.limits import error_lines, unwritable
from tfcourse.search.config.metrics import (
    objective_problems,
    training_problems,
    with_defaults,
)
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.settings import misfits, strategy_settings
from tfcourse.search.config.tables import (
    STRATEGIES,
    DataTable,
    ModelTable,
    SearchTable,
    Table,
    TrainingTable,
    parse,
)
from tfcourse.search.config.time_limits import limited_preparation
from tfcourse.search.config.vectorized import caviar_problems

__all__ = ["load_config", "parse_config"]


_TABLES: dict[str, type[Table]] = {
    "search": SearchTable,
    "data": DataTable,
    "model": ModelTable,
    "training": TrainingTable,
}


def load_config(
    path: Path,
    *,
    trials: int | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    recorded: bool = False,
) -> SearchConfig:
    """Reads and checks a search's TOML file.

    Args:
        path: The file. A relative ``[data] path`` is relative to its folder.
        trials: Replaces ``[search] trials``.
        epochs: Replaces ``[training] epochs``.
        seed: Replaces ``[search] seed``.
        recorded: As for `parse_config`.

    Raises:
        InputError: The file can't be read, or holds errors: a line for each.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}.") from None
    overrides = {"search": {"trials": trials, "seed": seed}, "training": {"epochs": epochs}}
    for table, values in overrides.items():
        given = {key: value for key, value in values.items() if value is not None}
        if given and isinstance(raw.setdefault(table, {}), dict):
            raw[table].update(given)
    return parse_config(raw, str(path), path.parent, recorded=recorded)


def parse_config(
    raw: Mapping[str, Any],
    origin: str,
    folder: Path,
    build: Any = None,
    arrays: ArrayData | None = None,
    recorded: bool = False,
) -> SearchConfig:
    """Checks the tables of a search.

    Args:
        raw: The tables.
        origin: Names them in the errors.
        folder: What a relative path of theirs is relative to.
        build: The builder as an object, of which ``[model] builder`` is only the name.
        arrays: The data, of which ``[data] source`` is only a name.
        recorded: Whether it is only to read the record of the search: data and builders of one's
            own may be gone, and no code of theirs is run.

    Raises:
        InputError: Every error, a line each.
    """
    tables = with_defaults({name: raw.get(name, {}) for name in (*_TABLES, "space")})
    errors = [
        f"[{name}] is not a known table.{nearest(name, tables)} Known: {', '.join(tables)}."
        for name in raw
        if name not in tables
    ]
    if lines := unwritable(tables):
        raise InputError(error_lines(origin, errors + lines))
    parsed: dict[str, Any] = {}
    tables["search"], settings, lines = strategy_settings(tables["search"])
    errors += lines
    for name, model in _TABLES.items():
        others = STRATEGIES if name == "search" else ()
        parsed[name], lines = parse(model, tables[name], name, others)
        errors += lines

    with limited_preparation(parsed["search"]):
        if parsed["training"] is not None:
            errors += training_problems(parsed["training"])
        parsed["data"] = _check_data(parsed["data"], folder, recorded or arrays is not None, errors)
        builder = _find(parsed["model"], build, recorded, errors)
    own = recorded or (builder is not None and builder.compiles)
    errors += objective_problems(tables["search"], tables["training"], any_metric=own)
    fixed = {} if parsed["model"] is None else parsed["model"].arguments
    tables["space"] = whole_space(builder, tables["space"], fixed)
    # A table that didn't parse has its own errors; its names must not cause others here.
    known = None if recorded else builder
    space, space_lines = parse_space(tables["space"], known, parsed["training"])
    errors += space_lines
    errors += check_fixed(known, parsed["model"], parsed["training"], space)
    if parsed["search"] is not None and not space_lines and not recorded:
        errors += misfits(parsed["search"], settings, parsed["training"], space)
        if builder is not None and parsed["training"] is not None:
            errors += caviar_problems(parsed["search"], parsed["training"], builder, space)
    if errors := errors + unwritable({"space": tables["space"]}):  # with what the builder brought
        raise InputError(error_lines(origin, errors))
    assert builder is not None
    return SearchConfig(
        **parsed,
        settings=settings,
        space=space,
        builder=builder,
        raw_space=tables["space"],
        origin=origin,
        arrays=arrays,
        in_memory=build is not None or arrays is not None,
    )


def _check_data(
    table: DataTable | None, folder: Path, found: bool, errors: list[str]
) -> DataTable | None:
    if table is None:
        return None
    if len(table.split) != 3 or min(table.split) <= 0 or abs(sum(table.split) - 1) > 1e-6:
        errors.append(
            "[data] split must be three shares > 0 that sum to 1 (train, dev, test). "
            f"Received: {shown(list(table.split))}."
        )
    if table.path is not None:
        try:
            path = (folder / table.path).resolve()
            path.exists()  # a name that is too long is an error only here
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
            errors.append(f"[data] path {shown(table.path)} can't be used: {error_line(error)}.")
            return None
        table = table.model_copy(update={"path": str(path)})
    if table.label is not None and table.source != "csv":
        errors.append(f'[data] label is for source "csv" only. Received: "{table.source}".')
    if found:
        return table
    try:
        check_source(table.source, None if table.path is None else Path(table.path))
    except InputError as error:
        errors.append(f"[data] {error}")
    return table


def _find(
    table: ModelTable | None, build: Any, recorded: bool, errors: list[str]
) -> Builder | None:
    if table is None:
        return None
    if recorded and table.builder not in BUILDERS:
        return Builder(table.builder, imported_when_called(table.builder), {}, takes_any=True)
    try:
        return find_builder(table.builder if build is None else build)
    except InputError as error:
        errors.append(f"[model] {error}")
        return None
