"""The promises of SECURITY.md on files: no pickle, and Keras in its safe mode."""

import ast
import functools
import json
import pickle
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import tfcourse
from tfcourse import Adam, InputError
from tfcourse.data.npz_file import read_npz
from tfcourse.models.saving import load_model, save_model

ROOT = Path(tfcourse.__file__).parent


@functools.cache
def calls():
    """The calls in the library, as triples of the file, the function's name and the node."""
    return [
        (path.relative_to(ROOT).as_posix(), ast.unparse(node.func), node)
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]


def modules_that_call(*names):
    return {path for path, function, _ in calls() if function in names}


def test_pickles_come_from_the_search_itself_only():
    """Through its connections to its processes, or with a digest that came through them."""
    loads = modules_that_call("pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load")
    assert loads == {
        "data/splitting/stored_split.py",
        "search/ray/trial_actor.py",
        "search/runtime/shared_objects.py",
    }
    assert not modules_that_call("eval", "yaml.load", "pd.read_pickle", "torch.load")
    assert modules_that_call("exec") == {"course/runner.py"}  # the scripts of the course


def test_numpy_reads_no_pickle():
    reads = [
        node for _, function, node in calls() if function in ("np.load", "np.lib.format.read_array")
    ]
    assert len(reads) >= 3
    for node in reads:
        allowed = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
        assert allowed["allow_pickle"] is False, ast.unparse(node)


def test_nothing_leaves_keras_safe_mode():
    names = {keyword.arg for _, _, node in calls() for keyword in node.keywords}
    assert "safe_mode" not in names
    assert not modules_that_call("keras.config.enable_unsafe_deserialization")


class Touch:
    """An object whose pickle makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_in_npz_data_is_refused(tmp_path):
    rows = np.array([Touch(tmp_path / "ran")] * 4, dtype=object)
    np.savez(tmp_path / "data.npz", x=rows, y=np.arange(4))
    with pytest.raises(InputError):
        read_npz(tmp_path / "data.npz", {})
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def saved(tmp_path):
    """A model with tfcourse's optimizer, saved: its file has parts of tfcourse's."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="last")])
    model.compile(Adam(0.1), "mse")
    save_model(model, tmp_path / "model.keras")
    return tmp_path / "model.keras"


def changed(path, name, change):
    """Change a part of a file of Keras's."""
    with zipfile.ZipFile(path) as file:
        parts = {part: file.read(part) for part in file.namelist()}
    parts[name] = change(parts[name])
    with zipfile.ZipFile(path, "w") as file:
        for part, content in parts.items():
            file.writestr(part, content)


@pytest.mark.parametrize("part", ["tfcourse.json", "config.json"])
def test_a_lambda_in_a_model_is_refused(saved, part, tmp_path):
    folder = str(tmp_path / "ran")
    evil = keras.layers.Lambda(lambda x: Path(folder).touch() or x)
    config = keras.saving.serialize_keras_object(evil)

    def insert(content):
        model = json.loads(content)
        model["config"]["layers"].append(config)
        return json.dumps(model).encode()

    assert isinstance(load_model(saved).optimizer, Adam)  # a positive control
    changed(saved, part, insert)
    with pytest.raises((ValueError, TypeError), match=r"(?i)unsafe|lambda"):
        load_model(saved)
    assert not Path(folder).exists()


def test_a_pickle_in_the_state_of_a_model_is_refused(saved, tmp_path):
    def insert(content):
        np.savez(
            tmp_path / "state.npz", iteration=np.array([Touch(tmp_path / "ran")], dtype=object)
        )
        return (tmp_path / "state.npz").read_bytes()

    changed(saved, "tfcourse.npz", insert)
    with pytest.raises(ValueError, match="allow_pickle"):
        load_model(saved)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(Touch(tmp_path / "ran")))  # a positive control
    assert (tmp_path / "ran").exists()
