"""The best model of a search in other formats."""

import importlib.util
import json

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.search.run_directories import completed, write_run
from tfcourse.cli import app
from tfcourse.search.best import formats

NORMED = """
@keras.saving.register_keras_serializable(package=__name__)
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x

def normed(input_shape, classes):
    return keras.Sequential([
        keras.Input(input_shape),
        Doubled(),
        keras.layers.Dense(4, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.BatchNormalization(name="after"),
        keras.layers.Dense(classes, activation="softmax"),
    ])
"""


def best(*arguments):
    result = CliRunner().invoke(app, ["best", "-q", *map(str, arguments)], env={"COLUMNS": "200"})
    return result.exit_code, result.output


@pytest.fixture
def run(quick, untrained):
    """A finished search of a model with a layer of the user's and batch norm."""
    search = quick(NORMED, builder="normed", data={"normalize": "standardize"})
    search.run(verbose=False)
    return search.directory


def test_each_export_predicts_what_the_model_does(run, tmp_path):
    targets = {"saved-model": "model", "tflite": "model.tflite", "fold": "folded.keras"}
    if importlib.util.find_spec("tf2onnx") and importlib.util.find_spec("onnxruntime"):
        targets["onnx"] = "model.onnx"
    options = [part for name, path in targets.items() for part in (f"--{name}", tmp_path / path)]
    code, text = best(run, *options, "--json")
    assert code == 0, text
    exports = json.loads(text)["exports"]
    assert {export["format"] for export in exports} == targets.keys()
    trained = keras.models.load_model(run / "best.keras")
    x = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    for export in exports:
        assert export["difference"] < 1e-5
        assert export["inputs"] == "24 examples of the dev and test sets"
        predictions = formats.CODECS[export["format"]].predict(tmp_path / export["path"], x)
        np.testing.assert_allclose(predictions, trained(x), atol=1e-5)
    (fold,) = (export for export in exports if export["format"] == "fold")
    assert fold["notes"] == [
        "1 batch-norm layers were folded.",
        '"sequential/after" was not folded: it follows "re_lu" (ReLU), not a linear layer.',
    ]
    assert not list(tmp_path.glob(".*"))
    assert best(run, *options)[0] == 2  # all of them exist
    code, text = best(run, "--saved-model", tmp_path / "model", "--force")
    assert code == 0
    assert text.startswith(f"saved-model {tmp_path}/model (largest difference of predictions ")


@pytest.mark.skipif(importlib.util.find_spec("tf2onnx") is None, reason="it is .[onnx]'s")
def test_onnx_alone(run, tmp_path):
    """Keras refuses a model that was not called, as the other formats call it."""
    code, text = best(run, "--onnx", tmp_path / "model.onnx")
    assert code == 0, text


def test_an_export_that_predicts_something_else_is_not_written(run, tmp_path, monkeypatch):
    path = tmp_path / "folded.keras"
    codec = formats.Codec(formats.CODECS["fold"].write, lambda path, x: np.zeros((len(x), 3)))
    monkeypatch.setitem(formats.CODECS, "fold", codec)
    before = sorted(tmp_path.iterdir())
    code, text = best(run, "--fold", path)
    assert code == 1
    assert "--fold: the exported model's predictions differ by " in text
    assert "(24 examples of the dev and test sets). Nothing was written." in text
    assert sorted(tmp_path.iterdir()) == before


def test_without_its_data_a_model_is_compared_on_random_inputs(run, tmp_path):
    config = run / "config.toml"
    config.write_text(config.read_text().replace(":points", ":nothing"))
    code, text = best(run, "--fold", tmp_path / "folded.keras")
    assert code == 0, text
    assert "64 random inputs, as the data is missing: [data] source: the module" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tflite", "there.tflite"], "--tflite: there.tflite exists. Choose another path, or"),
        (["--fold", "x.h5"], "--fold must be a .keras file. Received: x.h5."),
        (["--tflite", "no/x"], "--tflite: the folder no does not exist. Make it first."),
        (["--saved-model", "own", "--force"], "own is not a SavedModel, and is not replaced"),
        (["--tflite", "own", "--force"], "--tflite: own is a folder. Choose the path of a file."),
        (["--tflite", "run/config.toml", "--force"], "run/config.toml is in the run directory."),
        (["--tflite", "x", "--saved-model", "x"], "Two exports have the same path."),
        (["--tflite", "x"], "run: the model of trial 0 is not on disk. The program that"),
    ],
)
def test_what_is_not_exported(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    space = {"learning_rate": {"low": 0.01, "high": 0.1, "scale": "log"}}
    write_run(tmp_path / "run", space, [completed(0, 0.9, {"learning_rate": 0.05})])
    (tmp_path / "own").mkdir()
    (tmp_path / "there.tflite").write_text("mine")
    before = (tmp_path / "run" / "config.toml").read_text()
    code, text = best("run", *options)
    assert code == 2
    assert message in text
    assert (tmp_path / "there.tflite").read_text() == "mine"
    assert (tmp_path / "run" / "config.toml").read_text() == before
    assert not (tmp_path / "x").exists()


def test_missing_packages_are_named(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    absent = ("tf2onnx", "onnx", "onnxruntime")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in absent else find(name)
    )
    code, text = best(tmp_path, "--onnx", tmp_path / "x.onnx")
    assert code == 2
    assert text.endswith("Install: pip install tf2onnx onnx onnxruntime.\n")


def test_a_program_that_loads_a_model_imports_its_classes(run):
    loading = json.loads(best(run, "--json")[1])["loading"]
    module = json.loads(best(run, "--json")[1])["training"].split("is what ")[1].split(":")[0]
    assert loading.splitlines()[:3] == ["import keras", "", f"import {module}  # its classes"]
    names = {}
    exec(loading, names)
    assert names["model"].input_shape == (None, 4)
