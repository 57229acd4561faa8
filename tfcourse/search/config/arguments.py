"""The config of a search from the arguments of `tfcourse.Search`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfcourse.data.arrays import ArrayData
from tfcourse.data.splitting.array_splits import split_arguments
from tfcourse.data.streams.datasets import datasets_of
from tfcourse.errors import InputError, nearest
from tfcourse.search.config.builders import object_name
from tfcourse.search.config.load import parse_config
from tfcourse.search.config.named_data import check_named_data
from tfcourse.search.config.parts import is_importable, part_name
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.config.strategy_tables import STRATEGIES
from tfcourse.search.config.tables import DataTable, SearchTable, TrainingTable

__all__ = ["by_argument", "config_from_arguments"]

# The table and key of each setting; ``seed`` is that of [search].
_KEYS = {
    **{key: ("data", key) for key in DataTable.model_fields if key != "seed"},
    "data_seed": ("data", "seed"),
    **{key: ("training", key) for key in TrainingTable.model_fields},
    **{key: ("search", key) for key in (*SearchTable.model_fields, *STRATEGIES)},
}


def config_from_arguments(
    space: Mapping[str, Mapping[str, Any]] | None,
    build: object,
    arguments: Mapping[str, Any] | None,
    arrays: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> SearchConfig:
    """Return the config of `tfcourse.Search`'s arguments, checked as a file's.

    Args:
        space: The tables of ``[space]`` by name.
        build: The builder or its name.
        arguments: The fixed arguments of the builder.
        arrays: The arguments ``data``, ``train``, ``dev`` and ``test``.
        settings: The other arguments.

    Raises:
        InputError: Every error, a line each, by the names of the arguments.
    """
    unknown = [key for key in settings if key not in _KEYS]
    if unknown:
        known_names = ["space", "build", "arguments", *arrays, *_KEYS]
        raise InputError(
            f'Search: "{unknown[0]}" is not an argument.{nearest(unknown[0], known_names)} '
            f"Known: {', '.join(known_names)}."
        )
    if not isinstance(settings.get("sample_weight"), str | None):
        raise InputError(
            "Search: sample_weight names a column of a table or an array of an npz. Give weights "
            "as the third of data=(x, y, sample_weight), or of train, dev and test."
        )
    try:
        datasets = datasets_of(**arrays)
        examples, settings = (None, settings) if datasets else split_arguments(arrays, settings)
    except InputError as error:
        raise InputError(f"Search: {error}") from None
    raw: dict[str, Any] = {"search": {"name": "search"}, "data": {}, "training": {}}
    settings, objects = _by_name(settings)
    for key, value in settings.items():
        if value is not None:
            table, table_key = _KEYS[key]
            raw[table][table_key] = value
    if examples is not None:
        raw["data"] |= {"source": examples.source}
        raw["data"] |= {} if examples.shares is None else {"split": examples.shares}
    raw["data"] |= {} if datasets is None else {"source": "datasets"}
    name = build if isinstance(build, str) else object_name(build)
    raw["model"] = {**(arguments or {}), "builder": name}
    raw["space"] = {name: _table(entry) for name, entry in (space or {}).items()}
    try:
        builder = None if isinstance(build, str) else build
        config = parse_config(raw, "Search", Path.cwd(), builder, examples, objects, datasets)
        if isinstance(examples, ArrayData):
            check_named_data(config, examples.x, examples.y)
    except InputError as error:
        raise InputError("\n".join(map(by_argument, str(error).split("\n")))) from error
    try:
        config.as_toml()
    except TypeError as error:
        raise InputError(
            f"Search: arguments and space must hold what a TOML file can: numbers, texts, lists "
            f"and dicts ({error}). Fix other arguments with functools.partial(build, ...)."
        ) from None
    return config


def _by_name(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, object]]:
    """Return the settings with names in the place of objects, and these by name."""
    objects: dict[str, object] = {}

    def named(value: object) -> object:
        if not callable(value) and not hasattr(value, "set_model"):  # a name, or an error
            return value
        first = name = part_name(value)
        if is_importable(name, value):
            return name
        number = 1
        while objects.get(name, value) is not value:  # two lambdas have the same name
            number += 1
            name = f"{first}_{number}"
        objects[name] = value
        return name

    named_settings = dict(settings)

    def every(value: object) -> object:
        if isinstance(value, Mapping):
            return {output: every(each) for output, each in value.items()}
        return list(map(named, value)) if isinstance(value, list | tuple) else named(value)

    for key in ("loss", "metrics", "weighted_metrics"):
        if key in settings:
            named_settings[key] = every(settings[key])
    if isinstance(settings.get("callbacks"), list | tuple):
        named_settings["callbacks"] = every(settings["callbacks"])
    return named_settings, objects


def _table(entry: object) -> object:
    """Return a table of the space with tuples as lists, as a TOML file has them."""
    if not isinstance(entry, Mapping):
        return entry
    return {key: list(v) if isinstance(v, tuple) else v for key, v in entry.items()}


def by_argument(line: str) -> str:
    """Return an error of the config by its argument: ``[search] trials`` becomes ``trials``."""
    line = re.sub(r'\[data\.columns\.(?:"([^"]+)"|(\w+))\]', r'columns["\1\2"]', line)
    line = line.replace("[data.columns]", "columns").replace("[data] seed", "data_seed")
    line = line.replace("[model] builder", "build")
    line = re.sub(r"\[space\.([^\]]+)\]", r'space["\1"]', line)
    line = re.sub(r"\[(?:training|search)\.(\w+)\] must be ", r"\1 must be ", line)
    line = re.sub(r"\[(?:training|search)\.(\w+)\] (\w+)", r'\1["\2"]', line)
    line = re.sub(r"\[model\] (\w+)", r'arguments["\1"]', line)
    line = re.sub(r"\[(?:search|data|training)\] (\w+)", r"\1", line)
    return re.sub(r"\[(search|data|training|model|space)\]", r"\1", line)
