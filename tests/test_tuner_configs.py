"""Every file in tuner_configs is a search that runs, checks without advice and is documented."""

import inspect
import math
import re
import tempfile
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tfcourse
from tfcourse.models.build import BUILDERS
from tfcourse.search.config.advice import advice
from tfcourse.search.config.budget import hints
from tfcourse.search.config.column_tables import ColumnTable
from tfcourse.search.config.load import load_config
from tfcourse.search.config.pruning import PruningTable
from tfcourse.search.config.ray import RayTable
from tfcourse.search.config.satisficing import LimitsTable
from tfcourse.search.config.strategy_tables import STRATEGIES
from tfcourse.search.config.tables import (
    DataTable,
    EarlyStoppingTable,
    ModelTable,
    SearchTable,
    SpaceTable,
    TrainingTable,
)

ROOT = Path(__file__).parents[1]
# The searches; a file with [babysit] is one training.
CONFIGS = [
    path
    for path in sorted((ROOT / "tuner_configs").glob("*.toml"))
    if "babysit" not in tomllib.loads(path.read_text(encoding="utf-8"))
]
TEMPLATE = ROOT / "tuner_configs" / "template.toml"


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    """Modules of the configs are looked for in the current folder."""
    monkeypatch.chdir(ROOT)


@pytest.fixture
def mnist(monkeypatch):
    """Let Keras have 100 images of noise as MNIST, without the internet."""
    import keras

    rng = np.random.default_rng(0)
    half = (rng.integers(0, 256, (50, 28, 28), "uint8"), np.arange(50, dtype="uint8") % 10)
    monkeypatch.setattr(keras.datasets, "mnist", SimpleNamespace(load_data=lambda: (half, half)))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_gives_no_reason_for_advice(path):
    config = load_config(path)
    lines = [*advice(config), *hints(config)]
    assert lines == []
    assert config.search.name == path.stem


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_header_says_how_long_it_takes_and_what_to_expect(path):
    header = path.read_text(encoding="utf-8").split("[search]")[0]
    assert f"tuner_configs/{path.name}" in header
    assert re.search(r"\d+ (s|min) of one core", header), "how long it takes"


# Two of the digits have tests of their own, and the toy one below.
RUN = (
    *("digits_coarse_to_fine", "digits_cross_validation", "momentum", "convnet"),
    *(
        "breast_cancer",
        "regression",
        "text",
        "mnist",
        "template",
        "messy_csv",
        "images",
        "time_series",
    ),
)


@pytest.mark.parametrize("name", RUN)
def test_a_config_runs(name, tmp_path, mnist, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the images are written there
    search = tfcourse.Search.from_toml(
        f"tuner_configs/{name}.toml", trials=2, epochs=1, out=tmp_path
    )
    result = search.run(verbose=False)
    assert {record.status for record in result.trials.values()} <= {"completed", "infeasible"}
    assert (tmp_path / name / "best.keras").is_file()


def test_the_toy_finds_the_learning_rate_of_one_step(tmp_path):
    """A step of gradient descent on (w - 5)² leaves 1 - 2α of the error: α = 0.5 leaves none."""
    result = tfcourse.Search.from_toml("tuner_configs/toy.toml", out=tmp_path).run(verbose=False)
    for record in result.trials.values():
        error = 5 * abs(1 - 2 * record.values["learning_rate"])
        assert math.sqrt(record.score) == pytest.approx(error, abs=2e-6)
    assert result.best.values["learning_rate"] == pytest.approx(0.5, rel=1e-3)
    (kernel,) = result.best_model().get_weights()
    assert kernel.item() == pytest.approx(5, rel=1e-3)


def uncommented():
    """The template as if every key in it were set, and the comment of each line."""
    text = TEMPLATE.read_text(encoding="utf-8")
    return re.sub(r"^#(?=[\w\[])", "", text, flags=re.MULTILINE)


def text_of(table, key):
    """The text beside a key, or beside the first of this name in a table."""
    section = uncommented().split(f"[{table}]", 1)[1].split("\n[", 1)[0]
    (line,) = re.findall(rf"^{key} = .*$", section, flags=re.MULTILINE)
    return line.partition("#")[2]


# The tables within other tables, apart from those of strategies.
NESTED = {
    "early_stopping": EarlyStoppingTable,
    "pruning": PruningTable,
    "limits": LimitsTable,
    "ray": RayTable,
    "columns": ColumnTable,
}
TABLES = {
    "search": SearchTable,
    **{f"search.{name}": table for name, table in STRATEGIES.items()},
    "search.pruning": NESTED["pruning"],
    "search.limits": NESTED["limits"],
    "search.ray": NESTED["ray"],
    "data": DataTable,
    "data.columns.NAME": NESTED["columns"],
    "training": TrainingTable,
    "training.early_stopping": NESTED["early_stopping"],
}


@pytest.mark.parametrize("name", TABLES)
def test_the_template_has_every_key_with_its_default(name):
    table = tomllib.loads(uncommented())
    for part in name.split("."):
        table = table[part]
    keys = {key for key in TABLES[name].model_fields if key not in NESTED}
    others = {"val_loss"} if name == "search.limits" else {*STRATEGIES, *NESTED}
    assert {*table} - others == keys, "a key is missing, or not known"
    for key, field in TABLES[name].model_fields.items():
        if key in NESTED or key == "start":
            continue
        default = field.get_default(call_default_factory=True)
        if field.is_required():
            continue
        if default is None:
            assert "not set" in text_of(name, key), key
        else:
            expected = list(default) if isinstance(default, tuple) else default
            assert table[key] == expected, f"{key}: the default is {default}"
            assert "not set" not in text_of(name, key), key


def test_the_template_has_every_argument_of_the_builders():
    table = tomllib.loads(uncommented())["model"]
    arguments = {}
    for build in BUILDERS.values():
        parameters = [*inspect.signature(build).parameters.values()][2:]
        arguments |= {p.name: p.default for p in parameters}
    assert {*table} == {*ModelTable.model_fields, *arguments}
    del table["builder"]
    for name, value in table.items():
        assert value == arguments[name] or arguments[name] is None


def test_the_template_has_every_key_of_a_space():
    tables = tomllib.loads(uncommented())["space"].values()
    assert {key for table in tables for key in table} == {*SpaceTable.model_fields}
