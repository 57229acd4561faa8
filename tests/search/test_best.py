"""The best trial of a search as a program, which is run here as a script."""

import ast
import builtins
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.search.conftest import RATE
from tests.search.run_directories import completed, failed, write_run
from tfcourse import Search
from tfcourse.cli import app
from tfcourse.models.build import BUILDERS
from tfcourse.search.best.script import training_script
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.search_record import read_record

OWN = """
def own(input_shape, classes, width=4, learning_rate=0.1):
    layers = [keras.layers.Dense(width, activation="relu"), keras.layers.Dropout(0.2)]
    head = keras.layers.Dense(classes, activation="softmax")
    return keras.Sequential([keras.Input(input_shape), *layers, head])
"""
WIDTH = {"width": {"values": [3, 4, 5]}}
SCHEDULED = {
    "schedule": "cosine",
    "warmup": 0.2,
    "label_smoothing": 0.1,
    "folds": 2,
    "early_stopping": {"patience": 1},
}


def best(*arguments):
    result = CliRunner().invoke(app, ["best", *map(str, arguments)])
    return result.exit_code, result.output


def executed(program):
    """The names of a program that was run."""
    names = {"__name__": "__main__"}
    exec(compile(program, "best.py", "exec"), names)
    return names


def file_of(folder, kind):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = rng.normal(size=(60, 4)) + 3 * y[:, None]
    path = folder / f"points.{kind}"
    if kind == "npz":
        np.savez(path, x=x, y=y)
    else:
        np.savetxt(path, np.c_[x, y], delimiter=",", header="a,b,c,d,label", comments="")
    return {"source": kind, "path": str(path)}


@pytest.mark.parametrize(
    ("builder", "data", "tables"),
    [
        ("mlp", "npz", {"data": {"normalize": "standardize"}, "training": SCHEDULED}),
        ("mlp", None, {"training": {"optimizer": "keras:adamw", "metrics": ["accuracy"]}}),
        (
            *("own", "csv"),
            {
                "search": {"objective": "val_loss", "score_at": "mean_last_2"},
                "training": {"repeats": 2, "epochs": 3},
            },
        ),
    ],
    ids=["scheduled-folds-npz", "keras-function", "own-csv-repeats"],
)
def test_the_program_gives_the_score_on_record(quick, tmp_path, builder, data, tables, capsys):
    tables["data"] = {**(file_of(tmp_path, data) if data else {}), **tables.get("data", {})}
    search = quick(OWN, builder="own", space=WIDTH if builder == "own" else None, **tables)
    if builder == "mlp":
        text = (tmp_path / "search.toml").read_text()
        name = search.config.model.builder
        (tmp_path / "search.toml").write_text(
            text.replace(f'builder = "{name}"', 'builder = "mlp"\nunits = 8\ndropout = 0.1')
        )
        search = type(search).from_toml(tmp_path / "search.toml", out=tmp_path / "runs")
    search.run(verbose=False)
    record = read_record(search.directory).best
    code, text = best(search.directory)
    assert code == 0
    # Without a schedule the values are the arguments of the model and its optimizer.
    assert ("jit_compile=Auto(trials)" in text) == (builder == "mlp")
    assert ("values = " in text) == (builder == "own" or tables["training"] is SCHEDULED)
    capsys.readouterr()
    names = executed(text)  # the whole output is a program
    assert np.mean(names["scores"]) == record.score
    assert capsys.readouterr().out.split()[-1] == repr(record.score)
    x = np.ones((2, 4), "float32")
    assert names["model"].predict(x, verbose=0).shape == (2, 3)
    other = next(n for n in (0, 1, 2) if n != record.trial)
    entry = json.loads(best(search.directory, "--trial", other, "--json")[1])
    assert (entry["trial"], entry["is_best"], entry["loading"]) == (other, False, None)
    assert np.mean(executed(entry["training"])["scores"]) == entry["score"]


@pytest.fixture
def unfinished(tmp_path):
    rates = [0.01, 0.02, 0.05]
    records = [
        completed(n, 0.9 + rate, {"learning_rate": rate, "kind": "a\n b"})
        for n, rate in enumerate(rates)
    ]
    records.append(failed(3, {"learning_rate": 0.03, "kind": "c"}))
    space = {
        "learning_rate": {"low": 0.01, "high": 0.1, "scale": "log"},
        "kind": {"values": ["a\n b", "c"]},
    }
    return write_run(tmp_path / "a run", space, records)


def test_a_trial_of_an_unfinished_search(unfinished):
    code, text = best(unfinished)
    assert code == 0
    lines = text.splitlines()
    assert lines[:2] == [
        "# trial           2 (the best one so far)",
        "# val_accuracy    0.9500000000000001 (epoch 3)",
    ]
    assert "# kind            a\\n b" in lines
    assert "# The model is what nowhere:build builds of these values." in lines
    assert lines[-1] == "# The model of trial 2 is not on disk."
    compile(text, "best.py", "exec")
    entry = json.loads(best(unfinished, "--json")[1])
    assert (entry["trial"], entry["finished"], entry["model"]) == (2, False, None)
    text = best(unfinished, "--trial", 3)[1]
    assert text.splitlines()[1] == "# failed          ValueError: too wide"
    compile(text, "best.py", "exec")


def test_the_score_of_a_pruned_trial_is_that_of_its_epochs(tmp_path):
    values = {"width": 3}
    history = {"loss": [0.7, 0.5], "val_accuracy": [0.5, 0.6]}
    records = [
        TrialRecord(0, "pruned", values, 0.6, 2, history=history),
        completed(1, 0.9, values),
    ]
    run = write_run(tmp_path / "run", WIDTH, records)
    assert "scores.append(max(history['val_accuracy'][:2]))" in best(run, "--trial", 0)[1]
    assert "scores.append(max(history['val_accuracy']))" in best(run)[1]


def test_a_trial_that_is_not_on_record(unfinished):
    code, text = best(unfinished, "--trial", 7)
    assert code == 2
    assert text == ("Error: trial must be one of the trials on record: 0, 1, 2, 3. Received: 7.\n")


def test_a_search_of_objects_has_no_program(unfinished):
    path = unfinished / "config.toml"
    path.write_text(path.read_text().replace("nowhere:data", "arrays"))
    code, text = best(unfinished)
    assert code == 0
    assert "# The data or the model builder were objects in Python" in text
    compile(text, "best.py", "exec")


def test_no_trial_has_completed(tmp_path):
    code, text = best(write_run(tmp_path / "run", WIDTH, []))
    assert code == 2
    assert "has no best trial. 0 of 3 trials are on record. The search is not finished." in text


@pytest.mark.parametrize("build", [*BUILDERS, *BUILDERS.values()])
def test_a_program_imports_the_builder(tmp_path, build):
    """Each of tfcourse's own, by its name and as a function."""
    data = np.zeros((20, 8, 8, 1), np.float32), np.arange(20) % 2
    search = Search(data=data, build=build, space=RATE, trials=1, out=tmp_path)
    record = completed(0, 0.5, {"learning_rate": 0.05})
    program = [*ast.walk(ast.parse(training_script(search.config, tmp_path, record)))]
    known = {
        alias.name
        for node in program
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    names = [node for node in program if isinstance(node, ast.Name)]
    known |= {name.id for name in names if isinstance(name.ctx, ast.Store)} | {*dir(builtins)}
    assert {name.id for name in names} <= known
    assert (build if isinstance(build, str) else build.__name__) in {name.id for name in names}
