"""The searches that `tfcourse.bench.search` times: their configs, and a convnet for one of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfcourse.bench.networks import convolutions
from tfcourse.data.sources import load
from tfcourse.layers.softmax_head import SoftmaxHead
from tfcourse.search.config.load import parse_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.types import Array, KerasModel

__all__ = ["COMMANDS", "LONG", "MANY", "SEARCHES", "WIDE", "config_of", "convnet", "images"]

_LEARNING_RATES = {"low": 1e-4, "high": 1e-1, "scale": "log"}
_BETAS = {"low": 0.9, "high": 0.999, "scale": "one_minus_log"}

_ONE_ARCHITECTURE: Mapping[str, Any] = {
    "search": {"name": "one_architecture", "trials": 32},
    "data": {"source": "digits"},
    "training": {"epochs": 10, "batch_size": 64},
    "space": {"learning_rate": _LEARNING_RATES, "beta_1": _BETAS},
}
_MANY: Mapping[str, Any] = {
    **_ONE_ARCHITECTURE,
    "search": {"name": "many", "trials": 128, "caviar": "population"},
    "training": {"epochs": 50, "batch_size": 64},
}
# The space of earlier versions' digits.toml, so that times can be compared: 36 architectures.
_MIXED: Mapping[str, Any] = {
    "search": {"name": "mixed", "trials": 24},
    "data": {"source": "digits"},
    "training": {"epochs": 10},
    "space": {
        "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
        "beta_1": _BETAS,
        "units": {"low": 32, "high": 128, "step": 32},
        "layers": {"low": 1, "high": 3},
        "batch_size": {"values": [64, 128, 256]},
    },
}
_CONVNET: Mapping[str, Any] = {
    "search": {"name": "convnet", "trials": 8},
    "data": {"source": "tfcourse.bench.search_work:images"},
    "model": {"builder": "tfcourse.bench.search_work:convnet"},
    "training": {"epochs": 3, "batch_size": 64},
    "space": {"learning_rate": _LEARNING_RATES, "beta_1": _BETAS},
}

_WIDE: Mapping[str, Any] = {
    **_ONE_ARCHITECTURE,
    "search": {"name": "wide", "trials": 1000, "caviar": "population"},
    "training": {"epochs": 5, "batch_size": 64},
}
# A trial takes one to three seconds of one core. Start and compilation take each process some ten:
# the more trials there are, the less of the whole.
_LONG: Mapping[str, Any] = {
    **_ONE_ARCHITECTURE,
    "search": {"name": "long", "trials": 64, "caviar": "reuse", "threads": 1},
    "training": {"epochs": 400, "batch_size": 64},
}

# The titles of the searches by their short names.
MANY, COMMANDS, WIDE, LONG = "many", "commands", "wide", "long"
SEARCHES: dict[str, str] = {
    "one": "32 trials of 10 epochs, digits, one architecture, one process",
    MANY: "128 trials of 50 epochs, digits, one architecture, one process, a population",
    "digits": "24 trials of 10 epochs, digits, mixed architectures, one process",
    COMMANDS: "24 trials of 10 epochs, digits, mixed architectures, whole commands",
    WIDE: "1000 trials of 5 epochs, digits, one architecture, one process, a population",
    LONG: "64 trials of 400 epochs, digits, one core each, whole commands",
    "convnet": "convnet 24×24, 8 trials of 3 epochs, one process",
}


def config_of(name: str, scale: float = 1.0) -> SearchConfig:
    """Return the config of the search with that short name.

    Args:
        name: A key of `SEARCHES`.
        scale: The fraction of the trials and epochs; less than 1 for a quick look.
    """
    tables = {"one": _ONE_ARCHITECTURE, MANY: _MANY, WIDE: _WIDE, LONG: _LONG, "convnet": _CONVNET}
    raw = tables.get(name, _MIXED)
    search, training = dict(raw["search"]), dict(raw["training"])
    search["trials"] = max(2, round(search["trials"] * scale))
    training["epochs"] = max(1, round(training["epochs"] * scale))
    changed = {**raw, "search": search, "training": training}
    return parse_config(changed, SEARCHES[name], Path.cwd())


def images() -> tuple[Array, Array]:
    """Return the digits with every pixel 3 times as wide and high: 24×24."""
    digits = load("digits").part
    pixels = digits.x.reshape(-1, 8, 8).astype("float32")
    return np.kron(pixels, np.ones((1, 3, 3), "float32"))[..., None], digits.y


def convnet(input_shape: Sequence[int], classes: int) -> KerasModel:
    """Return two blocks of convolution, `BatchNorm`, ReLU and pooling, and a `SoftmaxHead`."""
    layers = [keras.Input(tuple(input_shape)), *convolutions(), SoftmaxHead(classes)]
    return keras.Sequential(layers)
