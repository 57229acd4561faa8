"""The searches and trainings of the soak: their data, and their files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from tfcourse.types import Array

__all__ = ["CHECKPOINTS", "END", "points", "write_babysit", "write_search"]

# In the folder of a training: its checkpoints, and the stem of the files with its end.
CHECKPOINTS, END = "checkpoints", "end"
# Some of these rates let gradient descent diverge: a failed trial is a trial too.
_RATES = {"low": 1e-3, "high": 1e6, "scale": "log"}
_SEARCH: Mapping[str, Any] = {
    "data": {"source": "tfcourse.bench.soak.inputs:points", "split": [0.6, 0.2, 0.2]},
    "model": {"builder": "mlp", "layers": 1, "dropout": 0.2},
    "training": {"optimizer": "momentum", "batch_size": 32},
    "space": {
        "learning_rate": _RATES,
        "momentum": {"low": 0.5, "high": 0.99, "scale": "one_minus_log"},
        "units": {"values": [4, 8]},
    },
}


def points() -> tuple[Array, Array]:
    """Return three clouds of points and their numbers."""
    y = np.arange(240) % 3
    noise = np.random.default_rng(0).normal(size=(240, 4))
    return (noise + 2.0 * y[:, None]).astype("float32"), y


def write_search(path: Path, trials: int, seed: int, epochs: int = 2, **search: Any) -> Path:
    """Write the config of a search of tiny trials, and return its path.

    Args:
        path: The file; its name is that of the search.
        trials: The number of its trials.
        seed: Its seed.
        epochs: The epochs of a trial.
        search: Further keys of ``[search]``.
    """
    table = {"name": path.stem, "objective": "val_loss", "trials": trials, "seed": seed, **search}
    training = {**_SEARCH["training"], "epochs": epochs}
    path.write_text(tomli_w.dumps({**_SEARCH, "search": table, "training": training}), "utf-8")
    return path


def write_babysit(path: Path, epochs: int, seed: int) -> Path:
    """Write the config of a training under supervision, and return its path."""
    tables = {
        "babysit": {"name": path.stem, "seed": seed},
        "data": _SEARCH["data"],
        "model": {"builder": "mlp", "layers": 1, "units": 8, "dropout": 0.2},
        "training": {"batch_size": 32, "epochs": epochs, "learning_rate": 0.01},
    }
    path.write_text(tomli_w.dumps(tables), encoding="utf-8")
    return path
