"""Keras's configs without what differs between two builds of the same model: seeds and names."""

import re
from collections.abc import Mapping
from typing import Any

from tfcourse.internals.layers import snake_case_name

__all__ = ["canonical", "is_counted"]

# Where a name stands in a config. Elsewhere the same text may mean something else.
NAMING = ("name", "keras_history", "input_layers", "output_layers")


def canonical(config: Any, without: tuple[str, ...] = ()) -> Any:
    """A config as a hashable value: no seeds, and names that Keras counts up by their order.

    Seeds are state: what is drawn from them is in variables.

    Args:
        config: What a ``get_config`` gave.
        without: Further keys to leave out of it.
    """
    names: dict[str, str] = {}
    _collect(config, names)
    if isinstance(config, Mapping):
        config = {key: value for key, value in config.items() if key not in without}
    return _frozen(config, names, naming=False)


def is_counted(name: str, kind: str) -> bool:
    """Whether Keras gave the name by itself to something of a class, or to a direction of it."""
    return bool(re.fullmatch(rf"(forward_|backward_)?{snake_case_name(kind)}(_\d+)?", name))


def _collect(config: Any, names: dict[str, str]) -> None:
    """The names that Keras gave by itself, with what stands for each."""
    if isinstance(config, Mapping):
        inner = config.get("config")
        kind = config.get("class_name")
        if isinstance(inner, Mapping) and isinstance(kind, str):
            name = str(inner.get("name", config.get("name")))  # an operation's stands beside it
            if is_counted(name, kind):
                names.setdefault(name, f"<{snake_case_name(kind)} {len(names)}>")
        for value in config.values():
            _collect(value, names)
    elif isinstance(config, list | tuple):
        for value in config:
            _collect(value, names)


def _frozen(value: Any, names: Mapping[str, str], naming: bool) -> Any:
    if isinstance(value, Mapping):
        return tuple(
            (str(key), _frozen(value[key], names, naming or key in NAMING))
            for key in sorted(value, key=str)
            if key != "seed"
        )
    if isinstance(value, list | tuple):
        return tuple(_frozen(part, names, naming) for part in value)
    if naming and isinstance(value, str):
        return names.get(value, value)
    # With its type: 1, 1.0 and True are equal in Python. NaN differs from itself.
    return (type(value).__name__, repr(value))
