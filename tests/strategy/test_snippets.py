"""The snippets in the docstrings run as they are."""

import importlib
import inspect
import re
import textwrap

import keras
import numpy as np
import pytest

import tfcourse
from tests.search.run_directories import completed, write_run
from tfcourse.strategy import measures


def snippets():
    room = importlib.import_module("tfcourse.strategy")
    for name in room.__all__:
        text = inspect.getdoc(getattr(room, name)).partition("\nArgs:")[0]
        for block in re.findall(r"(?:^    .*\n)+", text, flags=re.MULTILINE):
            if not inspect.isclass(getattr(room, name)):
                yield pytest.param(textwrap.dedent(block), id=name)


@pytest.fixture
def names(tmp_path, monkeypatch, rng):
    """What the snippets take for granted: a model and data, and a run directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measures.ModelMeasures, "__init__", lambda *arguments: None)
    monkeypatch.setattr(measures.ModelMeasures, "measure", lambda *arguments: 5)
    (tmp_path / "runs").mkdir()
    space = {"units": {"low": 1, "high": 64}}
    write_run(tmp_path / "runs" / "digits", space, [completed(0, 0.9, {"units": 8})])
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    x, x_dev, x_rendered = rng.normal(size=(3, 90, 4)).astype("float32")
    y = y_dev = np.arange(90) % 3
    return {**locals(), "tfcourse": tfcourse}


@pytest.mark.parametrize("code", [*snippets()])
def test_a_snippet_runs(code, names, capsys):
    exec(code, names)
    assert capsys.readouterr().out.strip()


def test_they_are_all_here():
    assert len([*snippets()]) == 7
