"""What a practitioner does wrong at first: each message has the remedy, and names no bare error."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tomli_w
from typer.testing import CliRunner

import tfcourse
from tfcourse.backend import check_backend
from tfcourse.cli import app
from tfcourse.data.label_hints import label_hint
from tfcourse.search.config.load import load_config
from tfcourse.search.data.loading import load_split
from tfcourse.search.runtime.entry import sendable
from tfcourse.search.store.identity import differences

X, LABELS = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
RATE = {"learning_rate": {"low": 0.01, "high": 0.1}}
NUMBER_THEM = r"Number them: np\.unique\(y, return_inverse=True\)\[1\]\.$"


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        ((X, X[:, 0]), r'numbers to predict, a regression, give loss = "mse"\.$'),
        ((X, np.arange(60) * 7), r'numbers to predict, a regression, give loss = "mse"\.$'),
        ((X, LABELS + 1), NUMBER_THEM),
        ((X, LABELS * 2 - 1), NUMBER_THEM),
        ((X, np.array(list("abc"))[LABELS]), r"Number the classes: np\.unique\(y"),
        ((X, np.eye(3)[LABELS]), r"give y\.argmax\(axis=1\)\. Of numbers to predict, .*\"mse\"\.$"),
        ((X.astype(str), LABELS), r"Encode the texts of x, as with pandas\.get_dummies\(x\)\.$"),
        ((X, LABELS * 0), r"All examples are of one class: a model needs others to learn from\.$"),
        ((X, np.where(LABELS > 1, np.nan, LABELS)), r"20 of 60 are not finite, the first in row 2"),
        ((X[:, 0], LABELS), r"Of one feature, give x\[:, None\]\.$"),
        ((LABELS, X), r"They seem to be exchanged: give \(x, y\)\.$"),
        ((np.where(X > 2, np.nan, X), LABELS), r"x holds 3 values .* Remove or fill them\.$"),
        (([[1, 2], [3]], [0, 1]), r"x of data is a list of lists of different lengths.*Pad them"),
        ((X[:3], LABELS[:3]), r"give it a larger share or more data\.$"),
        ((X, LABELS[:50]), r"must be \(x, y\) with one y for each .*\(60, 4\) and \(50,\)\.$"),
        (X, r"data must be \(x, y\).* Received: ndarray\.$"),
    ],
    ids=[
        *("numbers", "whole numbers", "from 1", "signs", "texts", "one-hot", "texts in x"),
        "one class",
        *("NaN in y", "one axis", "exchanged", "NaN in x", "ragged", "few", "fewer", "no pair"),
    ],
)
def test_data_in_another_form(data, remedy):
    with pytest.raises(tfcourse.InputError, match=remedy):
        load_split(tfcourse.Search(space=RATE, trials=1, data=data).config)


@pytest.mark.parametrize("count", [2, 20, 40])
def test_many_labels_that_repeat_are_classes(count):
    assert re.search(NUMBER_THEM, label_hint(np.arange(1, 4 * count) % count + 1))


@pytest.mark.parametrize(
    ("source", "remedy"),
    [
        ("data/points.csv", 'Give source = "csv" and path = "data/points.csv".'),
        ("~/points.parquet", 'Give source = "parquet" and path = "~/points.parquet".'),
    ],
)
def test_a_path_as_the_source(source, remedy):
    with pytest.raises(tfcourse.InputError, match=re.escape(remedy)):
        tfcourse.Search(space=RATE, trials=1, source=source)


@pytest.fixture
def config(tmp_path):
    """Writes a config into a folder, and a module beside it."""

    def write(module, search=(), **data):
        (tmp_path / "mine.py").write_text(module, encoding="utf-8")
        tables = {
            "search": {"name": "run", "trials": 1, **dict(search)},
            "data": {"source": "mine:data", **data},
            "model": {"builder": "mine:build"},
            "space": RATE,
        }
        path = tmp_path / "search.toml"
        path.write_text(tomli_w.dumps(tables), encoding="utf-8")
        return path

    yield write
    sys.modules.pop("mine", None)


@pytest.fixture(autouse=True)
def same_path(monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path.copy())


MODULE = """
import keras, numpy

def build(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes, "softmax")])

def data():
    return numpy.zeros((20, 4)), numpy.arange(20) % 2
"""


def test_paths_and_modules_of_a_config(config, tmp_path, monkeypatch):
    """Relative to the config, whatever the current folder; ``~`` is the home."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    loaded = load_config(config(MODULE, search={"tensorboard": "~/events"}))
    assert loaded.search.tensorboard == str(tmp_path / "home" / "events")
    assert loaded.builder.function.__module__ == "mine"
    assert load_split(loaded).classes == 2
    assert sys.path[-1] == str(tmp_path)  # after all others
    with pytest.raises(tfcourse.InputError, match=rf"no such file: {tmp_path}/home/points\.npz"):
        load_config(config(MODULE, source="npz", path="~/points.npz"))


def test_the_config_of_a_run_directory_finds_what_lay_beside_the_first(config, tmp_path):
    path, first = config(MODULE), sys.path.copy()
    loaded = load_config(path)
    (tmp_path / "run").mkdir()
    stored = tmp_path / "run" / "config.toml"
    stored.write_text(loaded.as_toml())
    assert loaded.search.modules == str(tmp_path)
    for again in (stored, config(MODULE, search={"modules": "../" + tmp_path.name})):
        sys.path[:] = first
        del sys.modules["mine"]
        assert load_split(load_config(again)).classes == 2
    # It may move, and is on record only where it is needed.
    without = config(MODULE.replace("data", "others"), source="digits").read_text()
    elsewhere = tmp_path / "run" / "search.toml"
    elsewhere.write_text(without.replace("mine:build", "linear"))
    assert load_config(elsewhere).search.modules is None
    tables = loaded.as_tables()
    moved = {**tables, "search": {**tables["search"], "modules": "/elsewhere"}}
    assert differences(tables, moved) == []


STRANGE = {
    "empty": "ValueError()",
    "key": "KeyError('units')",
    "blank": "RuntimeError('\\n\\n')",
    "lines": "TypeError('\\n  first\\nsecond')",
    "stop": "StopIteration()",
    "assert": "AssertionError()",
}


@pytest.mark.parametrize("error", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("place", ["import", "data", "build"])
def test_no_message_is_the_bare_name_of_an_error(config, error, place):
    raising = f"    raise {error}\n"
    sources = {
        "import": f"raise {error}\n",
        "data": f"{MODULE}\ndef data():\n{raising}",
        "build": f"{MODULE}\ndef build(hp):\n{raising}",
    }
    path = config(sources[place])
    result = CliRunner().invoke(app, ["search", str(path), "--quiet"], env={"COLUMNS": "200"})
    assert result.exit_code == 2, result.output
    kind = error.partition("(")[0]
    for line in result.stderr.splitlines():
        assert not re.match(rf"(Error: )?({kind}|\[|\()", line), line
        assert not re.search(rf"{kind}:?\s*[).]?$", line), line
    assert re.search(rf"{kind}( without a message|: \S| *: *first)", result.stderr) or (
        "first" in result.stderr
    )


def test_an_error_of_another_process_says_whose_it_is():
    assert str(sendable(KeyError("units"))) == "A process of the search failed: KeyError: 'units'"
    assert str(sendable(tfcourse.InputError("no such file"))) == "no such file"


@pytest.mark.parametrize(
    ("name", "code"),
    [("jax", "import tfcourse; tfcourse.fit"), ("numpy", "from tfcourse.layers import BatchNorm")],
    ids=["jax", "numpy"],
)
def test_another_backend_of_keras(name, code):
    environ = {**os.environ, "KERAS_BACKEND": name}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ)
    assert done.stderr.splitlines()[-1].endswith(
        f"Keras's backend is '{name}' (the environment has KERAS_BACKEND={name}), and tfcourse "
        "needs TensorFlow. Set KERAS_BACKEND=tensorflow in the environment, before Python starts."
    )


def test_the_backend_in_the_settings_of_keras(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for contents in (None, "{}", "not json", "[]", '{"backend": "tensorflow"}'):
        if contents is not None:
            (tmp_path / "keras.json").write_text(contents)
        check_backend()
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    with pytest.raises(tfcourse.InputError, match=r"'torch' \(\"backend\" in .*keras\.json\)"):
        check_backend()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    check_backend()
