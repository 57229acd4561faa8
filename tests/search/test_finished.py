"""A finished search is shown when its data and its builder are gone."""

import shutil
import sys

import numpy as np
import pytest

import tfcourse
from tests.search.conftest import QUICK, RATE, load
from tests.test_cli import run, watched
from tfcourse import InputError, Search

HYPER = """
def hyper(hp):
    units = hp.Choice("units", [2, 4, 8, 16])
    x = keras.Input((4,))
    y = keras.layers.Dense(3, activation="softmax")(keras.layers.Dense(units)(x))
    model = keras.Model(x, y)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""


@pytest.fixture(params=["linear", "hyper"])
def gone(request, module, untrained, tmp_path):
    """A finished search whose CSV file and module have been deleted; its result."""
    name = module(QUICK + HYPER)
    rows = np.random.default_rng(0).normal(size=(60, 4))
    lines = [",".join([*map(str, row), str(i % 3)]) for i, row in enumerate(rows)]
    (tmp_path / "data.csv").write_text("\n".join(["a,b,c,d,y", *lines]))
    raw = {
        "search": {"name": "gone", "trials": 2},
        "data": {"source": "csv", "path": "data.csv"},
        "model": {"builder": f"{name}:{request.param}"},
        "training": {"epochs": 1, "batch_size": 12},
    }
    if request.param == "linear":
        raw["space"] = RATE
    search = Search(load(tmp_path, raw), tmp_path / "runs")
    result = search.run(verbose=False)
    (tmp_path / "data.csv").unlink()
    (tmp_path / f"{name}.py").unlink()
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    del sys.modules[name]
    return search, result


def test_it_is_shown(gone, tmp_path):
    search, result = gone
    expected = str(result)
    assert str(search.completed()) == str(search.run()) == expected
    assert str(Search.from_toml(tmp_path / "search.toml", out=search.out).run()) == expected
    assert str(search.run(workers=2)) == expected
    assert str(Search.read_result(search.directory)) == expected
    assert run("chief", tmp_path / "search.toml", "--out", search.out).exit_code == 0
    printed = run("search", tmp_path / "search.toml", "--out", search.out)
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout.startswith("The search is complete: all 2 trials are on record.\n")
    assert f"dev set     {result.summary.objective} " in printed.stdout


def test_it_is_shown_without_tensorflow(gone, tmp_path):
    search, _ = gone
    ended, said, imported = watched("search", tmp_path / "search.toml", "--out", search.out)
    assert (ended.returncode, said.strip(), imported) == (0, "", set())


def test_its_record_may_be_moved(gone, tmp_path):
    search, result = gone
    search.directory.rename(tmp_path / "elsewhere")
    moved = Search.read_result(tmp_path / "elsewhere")
    assert (moved.summary, list(moved.trials)) == (result.summary, list(result.trials))


def test_what_is_not_finished_needs_them(gone, tmp_path):
    search, _ = gone
    file, said = tmp_path / "search.toml", r"path: no such file(.|\n)*\[model\] builder: "
    with pytest.raises(InputError, match=said):
        Search.from_toml(file, trials=3, out=search.out)
    with pytest.raises(InputError, match=said):
        Search.from_toml(file, seed=1, out=search.out)
    with pytest.raises(InputError, match=said):
        Search.from_toml(file, out=tmp_path / "nowhere")
    with pytest.raises(InputError, match=said):
        tfcourse.retest(search.directory)
    assert run("check", file).exit_code == 2
    before = {path: path.read_bytes() for path in search.directory.rglob("*") if path.is_file()}
    fresh = run("search", file, "--out", search.out, "--fresh", "--yes")
    assert fresh.exit_code == 2
    assert "path: no such file" in fresh.stderr
    assert {path: path.read_bytes() for path in before} == before
    (search.directory / "trials" / "0000.json").unlink()
    with pytest.raises(InputError, match=said):
        Search.from_toml(file, out=search.out)
    with pytest.raises(InputError, match=r"gone holds no finished search\. tfcourse search "):
        Search.read_result(search.directory)
    with pytest.raises(InputError, match=r"is not a run directory"):
        Search.read_result(tmp_path)


def test_other_errors_of_the_file_are_told(gone, tmp_path):
    search, _ = gone
    text = (tmp_path / "search.toml").read_text().replace("trials", "trails")
    (tmp_path / "search.toml").write_text(text)
    with pytest.raises(InputError, match=r"\[search\] trails is not a known key"):
        Search.from_toml(tmp_path / "search.toml", out=search.out)
