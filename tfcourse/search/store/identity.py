"""Whether two configs are of one search: the trials of one can be continued with the other."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tfcourse.errors import shown

__all__ = ["differences", "identity"]

# What a search may be continued with another value of: its trials stay the same.
# The data is told by its hash, wherever it lies.
MAY_CHANGE = ("search.trials", "search.workers", "search.trial_timeout", "data.path")


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """What differs between the tables of two configs, in words."""
    old, new = _leaves(stored), _leaves(asked)
    return [
        f"{name} is {shown(old.get(name, 'not set'))} there and "
        f"{shown(new.get(name, 'not set'))} here"
        for name in sorted({*old, *new})
        if not _same(old.get(name), new.get(name))
    ]


def identity(tables: Mapping[str, Any]) -> str:
    """A hash of the tables of a config, the same for all without `differences`."""
    text = json.dumps(_leaves(tables), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _same(old: Any, new: Any) -> bool:
    return bool(old == new) or repr(old) == repr(new)  # a nan is the same nan


def _leaves(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in tables.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Mapping):
            leaves |= _leaves(value, name)
        elif name not in MAY_CHANGE:
            leaves[name] = value
    return leaves
