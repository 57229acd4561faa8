"""Keras's configs without what differs between two builds of the same model: seeds and names."""

import re
from collections.abc import Hashable, Mapping

import numpy as np

from tfcourse.internals.layers import snake_case_name
from tfcourse.types import KerasConfig

__all__ = ["canonical", "is_automatic_name"]

# The keys of a config whose values are names. Under other keys the same text may mean something
# else.
NAME_KEYS = ("name", "keras_history", "input_layers", "output_layers")


def canonical(config: KerasConfig, without: tuple[str, ...] = ()) -> Hashable:
    """Return a config as a hashable value, without seeds and the names that Keras counts up.

    Seeds are state: what is drawn from them is in variables.

    Args:
        config: The result of a ``get_config``.
        without: Further keys to leave out.
    """
    names: dict[str, str] = {}
    _collect_automatic_names(config, names)
    config = {key: value for key, value in config.items() if key not in without}
    return _hashable(config, names, is_name=False)


def is_automatic_name(name: str, class_name: str) -> bool:
    """Return whether Keras itself gave the name to an object of a class, or to its direction."""
    pattern = rf"(forward_|backward_)?{snake_case_name(class_name)}(_\d+)?"
    return bool(re.fullmatch(pattern, name))


def _collect_automatic_names(config: object, names: dict[str, str]) -> None:
    """Add to ``names`` those that Keras itself gave, each with its replacement."""
    if isinstance(config, dict):
        inner = config.get("config")
        class_name = config.get("class_name")
        if isinstance(inner, dict) and isinstance(class_name, str):
            name = str(inner.get("name", config.get("name")))  # that of an operation is beside it
            if is_automatic_name(name, class_name):
                names.setdefault(name, f"<{snake_case_name(class_name)} {len(names)}>")
        for value in config.values():
            _collect_automatic_names(value, names)
    elif isinstance(config, list | tuple):
        for value in config:
            _collect_automatic_names(value, names)


def _hashable(value: object, names: Mapping[str, str], is_name: bool) -> Hashable:
    if isinstance(value, dict):
        return tuple(
            (str(key), _hashable(value[key], names, is_name or key in NAME_KEYS))
            for key in sorted(value, key=str)
            if key != "seed"
        )
    if isinstance(value, list | tuple):
        return tuple(_hashable(part, names, is_name) for part in value)
    if isinstance(value, np.ndarray):  # whose repr() is shortened
        return (str(value.dtype), _hashable(value.tolist(), names, is_name))
    if is_name and isinstance(value, str):
        return names.get(value, value)
    # With its type: 1, 1.0 and True are equal in Python. NaN differs from itself.
    return (type(value).__name__, repr(value))
