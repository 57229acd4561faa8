"""The comparison of configs: the trials of one search can be continued with an equal config."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tfcourse.errors import shown

__all__ = ["EARLIER", "differences", "identity"]

# Settings that may change when a search is continued: they do not change its trials.
# The data is identified by its hash, and not by its path.
MAY_CHANGE = (
    "search.trials",
    "search.engine",
    "search.workers",
    "search.trial_timeout",
    "search.max_seconds",
    "search.target",
    "search.patience",
    "search.min_delta",
    "search.tensorboard",
    "search.modules",
    "data.path",
    "data.cache",
)
MAY_CHANGE_WITHIN = ("search.limits.", "search.ray.")
# The values that searches had before there were the keys, by strategy; the newest keys first.
EARLIER: dict[str, dict[str, str]] = {
    "coarse_to_fine": {"rounds": "equal", "rule": "halving"},
    "gp": {"acquisition": "turns"},
}
WITHOUT_KEY = {
    f"search.{strategy}.{key}": value
    for strategy, values in EARLIER.items()
    for key, value in values.items()
}


def differences(stored: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Return the differences between the tables of two configs, in words."""
    old, new = _settings(stored), _settings(current)
    return [
        f"{name} is {shown(old.get(name, 'not set'))} there and "
        f"{shown(new.get(name, 'not set'))} here"
        for name in sorted({*old, *new})
        if not _is_same(old.get(name), new.get(name))
    ]


def identity(tables: Mapping[str, Any]) -> str:
    """Return a hash of the tables of a config, the same for all configs without `differences`."""
    text = json.dumps(_settings(tables), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_same(old: object, new: object) -> bool:
    return bool(old == new) or repr(old) == repr(new)  # a NaN is not equal to itself


def _settings(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, value in tables.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Mapping):
            settings |= _settings(value, name)
        elif name.startswith(MAY_CHANGE_WITHIN):
            continue
        elif name not in MAY_CHANGE and WITHOUT_KEY.get(name) != value:
            settings[name] = value
    return settings
