"""The hash of a model's configuration, independent of generated names and addresses."""

import hashlib
import json
import re
from collections.abc import Mapping

from tfcourse.types import KerasModel

__all__ = ["hash_of_config", "without_addresses"]


def hash_of_config(model: KerasModel) -> str | None:
    """Return a hash of ``model.get_config()``; None if it can't be written as JSON.

    Names of layers are replaced by their order of appearance, as Keras numbers the layers of all
    models. The code of a Lambda layer's function is left out: it contains line numbers.
    """
    try:
        config = model.get_config()
        names = {name: f"#{number}" for number, name in enumerate(dict.fromkeys(_names(config)))}
        text = json.dumps(_plain(config, names), sort_keys=True, default=_text)
    except Exception:  # a get_config of the user's can raise anything
        return None
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without_addresses(text: str) -> str:
    """Return a text, such as ``repr`` of a function, without addresses in memory."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def _names(config: object) -> list[str]:
    if isinstance(config, Mapping):
        name = config.get("name")
        first = [name] if isinstance(name, str) else []
        return first + [each for value in config.values() for each in _names(value)]
    if isinstance(config, list | tuple):
        return [each for value in config for each in _names(value)]
    return []


def _plain(config: object, names: Mapping[str, str]) -> object:
    if isinstance(config, Mapping):
        if config.get("class_name") == "__lambda__":
            return "lambda"
        return {str(key): _plain(value, names) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [_plain(value, names) for value in config]
    return names.get(config, without_addresses(config)) if isinstance(config, str) else config


def _text(value: object) -> str:
    return without_addresses(repr(value))
