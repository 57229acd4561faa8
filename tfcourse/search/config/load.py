"""The config of a search, from its TOML file; all errors are reported at once."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict, Unpack

from tfcourse.data.streams.datasets import Datasets
from tfcourse.errors import InputError
from tfcourse.imports import search_modules_in
from tfcourse.models.build import BUILDERS
from tfcourse.search.config.builders import Builder, deferred_builder, find_builder, merge_space
from tfcourse.search.config.callbacks import adds_to_logs
from tfcourse.search.config.checks import check_fixed, parse_space
from tfcourse.search.config.data import absolute_path, validate_data
from tfcourse.search.config.limits import error_lines, unwritable
from tfcourse.search.config.metrics import with_defaults
from tfcourse.search.config.modules import names_module_in
from tfcourse.search.config.outputs import validate_objective
from tfcourse.search.config.pairs import problems_of_pairs
from tfcourse.search.config.parsing import parse, unknown_tables
from tfcourse.search.config.parts import Objects
from tfcourse.search.config.search_config import DataInMemory, SearchConfig
from tfcourse.search.config.settings import strategy_settings, validate_strategy
from tfcourse.search.config.start import validate_start
from tfcourse.search.config.strategy_tables import STRATEGIES
from tfcourse.search.config.tables import (
    DataTable,
    ModelTable,
    SearchTable,
    Table,
    TrainingTable,
)
from tfcourse.search.config.time_limits import limited_preparation
from tfcourse.search.config.toml_file import read_tables
from tfcourse.search.config.training_checks import validate_training
from tfcourse.search.config.vectorized import validate_vectorized
from tfcourse.types import Hyperparameters

__all__ = ["Overrides", "load_config", "parse_config"]


_TABLES: dict[str, type[Table]] = {
    "search": SearchTable,
    "data": DataTable,
    "model": ModelTable,
    "training": TrainingTable,
}


class Overrides(TypedDict, total=False):
    """Values that replace those of a file, where they are not None.

    Attributes:
        trials: Replaces ``[search] trials``.
        epochs: Replaces ``[training] epochs``.
        seed: Replaces ``[search] seed``.
        strategy: Replaces ``[search] strategy``, and with it the table of the file's strategy.
        max_seconds: Replaces ``[search] max_seconds``.
        target: Replaces ``[search] target``.
        patience: Replaces ``[search] patience``.
        tensorboard: Replaces ``[search] tensorboard``; relative to the current folder.
    """

    trials: int | None
    epochs: int | None
    seed: int | None
    strategy: str | None
    max_seconds: float | None
    target: float | None
    patience: int | None
    tensorboard: str | None


def load_config(
    path: Path,
    *,
    start: Sequence[Hyperparameters] = (),
    recorded: bool = False,
    **overrides: Unpack[Overrides],
) -> SearchConfig:
    """Read and check a search's TOML file.

    Args:
        path: The file. A relative ``[data] path`` is relative to its folder.
        start: Tables to add to ``[[search.start]]``.
        recorded: As for `parse_config`.
        overrides: See `Overrides`.

    Raises:
        InputError: The file can't be read, or holds errors: a line for each.
    """
    raw = read_tables(path)
    if "babysit" in raw and "search" not in raw:
        raise InputError(
            f"{path}: [babysit] is the table of one training under supervision, not of a search. "
            f"Train it with: tfcourse babysit {shlex.quote(str(path))}"
        )
    for key, value in overrides.items():
        table = raw.setdefault("training" if key == "epochs" else "search", {})
        if isinstance(value, str) and key == "tensorboard":
            value = str(Path.cwd() / value)
        if value is not None and isinstance(table, dict):
            if key == "strategy" and table.get(key) != value:
                table.pop(str(table.get(key)).partition(":")[0], None)
            table[key] = value
    if start and isinstance(raw.get("search"), dict):
        raw["search"]["start"] = [*raw["search"].get("start", []), *map(dict, start)]
    if not recorded:
        search_modules_in(path.parent)
        if isinstance(raw.get("search"), dict) and names_module_in(path.parent, raw):
            raw["search"].setdefault("modules", ".")  # the run directory has it as a whole path
    return parse_config(raw, str(path), path.parent, recorded=recorded)


def parse_config(
    raw: Mapping[str, Any],
    origin: str,
    folder: Path,
    build: object = None,
    arrays: DataInMemory | None = None,
    objects: Objects = MappingProxyType({}),
    datasets: Datasets | None = None,
    recorded: bool = False,
    is_search: bool = True,
) -> SearchConfig:
    """Check the tables of a search.

    Args:
        raw: The tables.
        origin: Their name in error messages.
        folder: The folder to which paths in them are relative.
        build: The builder as an object; ``[model] builder`` is then only its name.
        arrays: The data as arrays or a table, or in a file; ``[data] source`` is then only a name.
        objects: Losses, metrics and callbacks as objects, by their names in ``[training]``.
        datasets: The data as datasets; ``[data] source`` is then only a name.
        recorded: True to read only the record of the search: the data and the user's builder may
            be missing, and no code of the user's is run.
        is_search: False for a single training, which has an empty space.

    Raises:
        InputError: Every error, a line each.
    """
    tables = with_defaults({name: raw.get(name, {}) for name in (*_TABLES, "space")})
    errors = unknown_tables(raw, tables)
    if lines := unwritable(tables):
        raise InputError(error_lines(origin, errors + lines))
    tables["search"], settings, lines = strategy_settings(tables["search"])
    parsed, table_lines = _parse_tables(tables, folder, recorded)
    errors += [*lines, *table_lines]
    with limited_preparation(parsed["search"]):
        if parsed["training"] is not None:
            errors += validate_training(parsed["training"], objects, recorded)
        exists = recorded or (arrays or datasets) is not None
        parsed["data"] = _check_data(parsed["data"], folder, exists, errors)
        builder = _load_builder(parsed["model"], build, recorded, errors)
    any_metric = recorded or _may_have_any_metric(builder, parsed["training"])
    errors += validate_objective(tables["search"], tables["training"], any_metric=any_metric)
    errors += problems_of_pairs(tables["search"], parsed, any_metric)
    fixed = {} if parsed["model"] is None else parsed["model"].arguments
    tables["space"] = merge_space(builder, tables["space"], fixed)
    # A table with errors of its own must not cause others here.
    checked_builder = None if recorded else builder
    space, space_lines = parse_space(
        tables["space"], checked_builder, parsed["training"], needed=is_search
    )
    errors += space_lines
    errors += check_fixed(checked_builder, parsed["model"], parsed["training"], space)
    if parsed["search"] is not None and not space_lines and not recorded:
        checked = (parsed["search"], settings, parsed["training"], space)
        errors += [*validate_strategy(*checked), *validate_start(*checked)]
        if builder is not None and parsed["training"] is not None:
            errors += validate_vectorized(parsed["search"], parsed["training"], builder, space)
    if errors := errors + unwritable({"space": tables["space"]}):  # with the tables of the builder
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
        objects=objects,
        datasets=datasets,
        in_memory=any(part is not None for part in (build, arrays, datasets, objects or None)),
    )


def _parse_tables(
    tables: Mapping[str, object], folder: Path, recorded: bool
) -> tuple[dict[str, Any], list[str]]:
    """Return the tables as their models, None for those with errors, and a line for each error.

    Modules are found in the folder that they name from now on, unless only a record is read.
    """
    parsed, errors = dict[str, Any](), list[str]()
    for name, model in _TABLES.items():
        also_known = STRATEGIES if name == "search" else ()
        parsed[name], lines = parse(model, tables[name], name, also_known)
        errors += lines
    search = parsed["search"]
    for key in ("tensorboard", "modules"):
        text = None if search is None else getattr(search, key)
        if text is not None:
            path, lines = absolute_path(f"[search] {key}", text, folder)
            parsed["search"] = search = search.model_copy(update={key: path})
            errors += lines
            if key == "modules" and not (lines or recorded):
                search_modules_in(Path(path))
    return parsed, errors


def _check_data(
    table: DataTable | None, folder: Path, exists: bool, errors: list[str]
) -> DataTable | None:
    if table is None:
        return None
    table, lines = validate_data(table, folder, exists)
    errors += lines
    return table


def _may_have_any_metric(builder: Builder | None, training: TrainingTable | None) -> bool:
    """Return True if a history may have names that the config does not know."""
    if training is not None and adds_to_logs(training):
        return True
    return builder is not None and (builder.compiles or builder.fit is not None)


def _load_builder(
    table: ModelTable | None, build: object, recorded: bool, errors: list[str]
) -> Builder | None:
    if table is None:
        return None
    if recorded and table.builder not in BUILDERS:
        return Builder(table.builder, deferred_builder(table.builder), {}, takes_any=True)
    try:
        return find_builder(table.builder if build is None else build)
    except InputError as error:
        errors.append(f"[model] {error}")
        return None
