"""The settings in which searches differ."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tfcourse.search.results.tables import format_value

__all__ = ["format_setting", "setting_differences"]

# The table of the config shortens longer values in the middle; JSON has all of them.
LONGEST_SETTING = 40
NOT_SET = "not set"
# The settings that every search has for itself.
OWN = ("search.name", "search.tensorboard", "search.modules")


def setting_differences(tables: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the values of each setting that differs, by ``table.key``.

    Without the names, and the folders for TensorBoard and of modules: every search has its own.

    Args:
        tables: The tables of each config.
    """
    settings = [_settings(each) for each in tables]
    keys = dict.fromkeys(key for each in settings for key in each if key not in OWN)
    values = {key: [each.get(key, NOT_SET) for each in settings] for key in keys}
    # As texts, in which 1, 1.0 and true are different values.
    return {k: v for k, v in values.items() if len(set(map(_as_text, v))) > 1}


def _settings(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, value in tables.items():
        name = f"{prefix}{key}"
        settings |= _settings(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return settings


def _as_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def format_setting(key: str, value: Any) -> str:
    """Return a setting exactly as its config has it, shortened if it is long.

    Objectives are their names, each with its direction.
    """
    if key == "search.objectives" and all(isinstance(each, Mapping) for each in value):
        return ", ".join(f"{each.get('name')} ({each.get('direction')})" for each in value)
    return format_value(value if isinstance(value, str) else _as_text(value), LONGEST_SETTING)
