"""What the tests of searches share: configs on disk, and modules that a config can name."""

import importlib
import itertools
import json
import sys
import textwrap
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest

import tfcourse
from tfcourse.search.config.load import load_config

_NUMBERS = itertools.count()

# Three clouds of points on a line and a linear classifier: a trial takes a fraction of a second.
QUICK = """
import keras
import numpy as np

def points():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    return rng.normal(size=(60, 4)) + 3 * y[:, None], y

def linear(input_shape, classes):
    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Dense(classes, activation="softmax")]
    )
"""


RATE = {"learning_rate": {"low": 0.01, "high": 0.1, "scale": "log"}}


@pytest.fixture(autouse=True, scope="module")
def searches(kept_searches):
    """Keep what the searches of a module have prepared."""


@pytest.fixture
def regression(tmp_path):
    """A search over arrays whose epochs are one step, so that the order of examples is nothing."""
    x = np.random.default_rng(1).normal(size=(60, 3)).astype("float32")

    def make(out="runs", scale=1.0, **settings):
        arguments = {"layers": 1, "units": 4, **settings.pop("arguments", {})}
        settings = {"loss": "mse", "trials": 2, "epochs": 4, "batch_size": 64, **settings}
        return tfcourse.Search(
            data=(x, scale * x.sum(axis=1) ** 2),
            out=tmp_path / out,
            **{"space": RATE, "arguments": arguments, **settings},
        )

    return make


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module into the current folder, a new one of the test's own; gives its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    written = []

    def write(source):
        # A name of its own: Python keeps what it has imported.
        name = f"written_for_a_test_{next(_NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        importlib.invalidate_caches()
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture
def quick(module, tmp_path):
    """A search of a quick builder, from its source and its ``[space]``: a `tfcourse.Search`.

    ``source`` comes after `QUICK`; other keys replace those of the tables they name. In them
    ``SOURCE:`` stands for the module.
    """

    def make(source="", builder="linear", space=None, points="points", **tables):
        name = module(QUICK + textwrap.dedent(source))
        raw = {
            "search": {"name": "quick", "trials": 3, **tables.pop("search", {})},
            "data": {"source": f"{name}:{points}", **tables.pop("data", {})},
            "model": {"builder": f"{name}:{builder}", **tables.pop("model", {})},
            "training": {
                "epochs": 2,
                "batch_size": 12,
                "optimizer": "gradient_descent",
                **tables.pop("training", {}),
            },
            "space": RATE if space is None else space,
        }
        raw = json.loads(json.dumps(raw).replace("SOURCE:", f"{name}:"))
        return tfcourse.Search(load(tmp_path, raw), tmp_path / "runs")

    return make


@pytest.fixture
def untrained(monkeypatch):
    """Let the trials of this process train nothing: they have scores by their learning rates.

    For tests of what a search checks, records and prints. It builds, saves, loads and evaluates
    its models all the same; half of its time is the programs that train them.
    """
    train_nothing(monkeypatch)


def train_nothing(patch):
    """Patch the trials as `untrained` does, for as long as the patch lasts."""
    from tfcourse.search.trials import trial

    def fit(model, x, y=None, *, epochs, **options):
        curve = [1 / (2 + epoch + float(model.optimizer.learning_rate)) for epoch in range(epochs)]
        names = ("loss", "accuracy", "val_loss", "val_accuracy")
        return SimpleNamespace(history={name: list(curve) for name in names})

    patch.setattr(trial, "fit", fit)


def load(folder, tables):
    """The config that a TOML file of these tables holds."""
    import tomli_w

    path = folder / "search.toml"
    path.write_text(tomli_w.dumps(tables), encoding="utf-8")
    assert tomllib.loads(path.read_text(encoding="utf-8")) == tables
    return load_config(path)
