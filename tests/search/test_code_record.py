"""A search does not go on with models of other code than it began with, unless it is told to."""

import importlib
import itertools
import json
import sys
import textwrap

import keras
import numpy as np
import pytest

import tfcourse
from tests import processes
from tests.search.conftest import RATE, load
from tfcourse.errors import InputError
from tfcourse.search.code.model_config import hash_of_config
from tfcourse.search.store.code_record import CodeRecord, code_changes, write_code_record

pytestmark = pytest.mark.usefixtures("untrained")

NETS = """
    import keras
    import numpy as np

    ACTIVATION = "relu"

    def points():
        rng = np.random.default_rng(0)
        y = np.arange(60) % 3
        return rng.normal(size=(60, 4)) + 3 * y[:, None], y

    @keras.saving.register_keras_serializable()
    def error(y_true, y_pred):
        return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y_true, y_pred))

    def hidden():
        return keras.layers.Dense(4, activation=ACTIVATION)

    def build(input_shape, classes):
        head = keras.layers.Dense(classes, activation="softmax")
        return keras.Sequential([keras.Input(input_shape), hidden(), head])
"""
CHANGED = ('"relu"', '"tanh"')


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Writes the module with edits, pairs of texts, and gives a search that uses it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def make(*edits, builder="nets:build", metrics=(), trials=1, **settings):
        text = textwrap.dedent(NETS)
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "nets.py").write_text(text)
        sys.modules.pop("nets", None)
        importlib.invalidate_caches()
        training = {"epochs": 1, "batch_size": 36, "optimizer": "gradient_descent"}
        tables = {
            "search": {"name": "s", "trials": trials, "objective": "val_loss", **settings},
            "data": {"source": "nets:points"},
            "model": {"builder": builder},
            "training": {**training, "metrics": ["accuracy", *metrics]},
            "space": RATE,
        }
        return tfcourse.Search(load(tmp_path, tables), tmp_path / "runs")

    yield make
    sys.modules.pop("nets", None)


def kept(directory):
    return json.loads((directory / "code.json").read_text())


def test_parameters_are_not_counted_with_changed_code(search):
    first = search().run(verbose=False)
    path = first.directory / "trials" / "0000.json"
    entry = json.loads(path.read_text())
    del entry["parameters"]  # as an earlier version
    path.write_text(json.dumps(entry))
    wide = ("Dense(4,", "Dense(400,")
    with pytest.raises(InputError, match=r"nets:hidden changed\)\. The models of its"):
        search(wide, limits={"parameters": 100}).run(verbose=False)
    assert json.loads(path.read_text()) == entry
    assert search(limits={"parameters": 100}).run(verbose=False).best.parameters < 100


def test_a_search_with_changed_code_is_refused_shown_and_accepted(search):
    first = search().run(verbose=False)
    assert [*kept(first.directory)["source"]] == ["nets:ACTIVATION", "nets:build", "nets:hidden"]

    shown = search(CHANGED).run(verbose=False)
    assert shown.was_complete
    warning = (
        "Warning: the code of the models changed since the search began (nets:ACTIVATION changed). "
        "The result is the old code's; --fresh searches with today's."
    )
    assert warning in str(shown)
    assert "Warning" not in str(search().run(verbose=False))

    with pytest.raises(InputError) as refused:
        search(CHANGED, trials=2).run(verbose=False)
    assert str(refused.value) == (
        f"{first.directory}: the code of the models changed since the search began "
        "(nets:ACTIVATION changed). Its trials would be of different models. Undo the change, "
        "start over with --fresh, choose another --out or another name, or continue with "
        "--accept-changes (in Python accept_changes=True)."
    )

    # What is left of a trial under way is of the old model.
    checkpoint = first.directory / "checkpoints" / "0001" / "file"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    accepted = search(CHANGED, trials=2).run(verbose=False, accept_changes=True)
    assert len(accepted.trials) == 2
    assert kept(first.directory)["accepted"] == [
        {"first_trial": 1, "changed": ["nets:ACTIVATION changed"]}
    ]
    assert not checkpoint.exists()
    again = search(CHANGED, ("Dense(4", "Dense(5"), trials=3)
    assert len(again.run(verbose=False, accept_changes=True).trials) == 3
    assert [each["first_trial"] for each in kept(first.directory)["accepted"]] == [1, 2]

    fresh = search(trials=1).run(verbose=False, fresh=True)
    assert "accepted" not in kept(fresh.directory)


def test_comments_and_other_functions_are_no_change(search):
    first = search().run(verbose=False)
    record = kept(first.directory)
    edits = (
        ("def hidden():", "def hidden():\n    '''One layer.'''"),
        ("3 * y[:, None]", "y[:, None] * 3"),
    )
    more = search(*edits, trials=2).run(verbose=False)
    assert len(more.trials) == 2
    assert kept(first.directory) == record


def test_a_record_without_it_goes_on_and_gets_it(search):
    first = search().run(verbose=False)
    record = kept(first.directory)
    for left in (None, "", "[]", '{"source": 3}'):
        path = first.directory / "code.json"
        path.unlink() if left is None else path.write_text(left)
        # One that is damaged is written again; an earlier version wrote none.
        assert search().run(verbose=False).was_complete == (left is None)
        assert path.exists() == (left is not None)
    path.unlink()
    search(trials=2).run(verbose=False)
    assert kept(first.directory) == record


def test_a_metric_of_ones_own_counts(search):
    metrics = ["nets:error"]
    search(metrics=metrics).run(verbose=False)
    changed = search(("mean", "max"), metrics=metrics, trials=2)
    with pytest.raises(InputError, match=r"\(nets:error changed\)"):
        changed.run(verbose=False)


def test_a_config_that_the_source_does_not_show(search, monkeypatch):
    edit = '"relu"\n', '__import__("os").environ["ACTIVATION"]\n'
    monkeypatch.setenv("ACTIVATION", "relu")
    search(edit).run(verbose=False)
    monkeypatch.setenv("ACTIVATION", "elu")
    said = r"\(the configuration of the model that the builder makes of {'learning_rate': 0\.\d+}\)"
    with pytest.raises(InputError, match=said):
        search(edit, trials=2).run(verbose=False)
    assert len(search(edit, trials=2).run(verbose=False, accept_changes=True).trials) == 2


def test_before_any_trial_is_finished_the_code_may_change(search, monkeypatch):
    first = search()
    with monkeypatch.context() as patch:
        patch.setattr("tfcourse.search.trials.trial.fit", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            first.run(verbose=False)
    before = kept(first.directory)
    assert search(CHANGED).run(verbose=False).best.trial == 0
    assert kept(first.directory)["source"] != before["source"]
    assert "accepted" not in kept(first.directory)


def _interrupted(*args, **kwargs):
    raise KeyboardInterrupt


def test_the_source_of_keras_that_earlier_versions_recorded_is_no_change(tmp_path):
    write_code_record(tmp_path, CodeRecord({"keras.src.losses.losses:Huber": "1", "a:f": "3"}))
    assert code_changes(tmp_path, CodeRecord({"a:f": "3"})) == []
    assert code_changes(tmp_path, CodeRecord({})) == ["a:f is no longer used"]


def test_a_function_in_python(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3

    def planned(units, trials):
        def build(input_shape, classes):
            head = keras.layers.Dense(classes, "softmax")
            return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(units), head])

        settings = {"epochs": 1, "trials": trials, "name": "s", "out": tmp_path}
        return tfcourse.Search(space=RATE, build=build, data=(x, y), **settings)

    planned(2, 1).run(verbose=False)
    assert len(planned(2, 2).run(verbose=False).trials) == 2
    with pytest.raises(InputError, match=r"build\.units changed\)"):
        planned(3, 3).run(verbose=False)


def test_workers_and_the_command_line_refuse_it_alike(search, tmp_path):
    directory = search().run(verbose=False).directory
    with pytest.raises(InputError) as alone:
        search(CHANGED, trials=2).run(verbose=False)
    with pytest.raises(InputError) as many:
        search(CHANGED, trials=2).run(verbose=False, workers=2)
    assert str(many.value) == str(alone.value)

    command = ["-m", "tfcourse", "search", "search.toml", "--workers", "1", "--accept-changes"]
    done = processes.run(command, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    assert kept(directory)["accepted"][0]["first_trial"] == 1

    (tmp_path / "nets.py").write_text((tmp_path / "nets.py").read_text() + "\n# the end\n")
    assert search(CHANGED, trials=3).run(verbose=False, workers=2).best.status == "completed"


class TestConfigOfAModel:
    COUNTER = itertools.count()

    def model(self, kind="plain", units=4, cross=False):
        first = keras.layers.Dense(units, name=f"mine_{next(self.COUNTER)}")
        inputs = keras.Input((3,))
        a, b = first(inputs), keras.layers.Dense(units)(inputs)
        if kind == "lambda":
            one = keras.layers.Lambda(lambda x: x + 1)
            other = keras.layers.Lambda(lambda x: x + 1)  # the same, in another line
            a = (one if next(self.COUNTER) % 2 else other)(a)
        if kind == "address":
            a = keras.layers.Activation(keras.activations.relu)(a)
        outputs = keras.layers.Dense(2)(b if cross else a)
        return keras.Model(inputs, [outputs, keras.layers.Dense(2)(b)])

    @pytest.mark.parametrize("kind", ["plain", "lambda", "address"])
    def test_names_that_are_counted_on_are_no_change(self, kind):
        first, second = self.model(kind), self.model(kind)
        assert first.layers[-1].name != second.layers[-1].name
        assert hash_of_config(first) == hash_of_config(second) is not None

    def test_what_is_connected_is(self):
        hashes = {hash_of_config(self.model(**a)) for a in ({}, {"units": 5}, {"cross": True})}
        assert len(hashes) == 3

    def test_addresses_and_what_cannot_be_written(self):
        class Odd(keras.Model):
            def __init__(self, value):
                super().__init__()
                self.value = value

            def get_config(self):
                if self.value is None:
                    raise NotImplementedError
                return {"name": self.name, "value": self.value, "f": lambda: 0}

        assert hash_of_config(Odd(object())) == hash_of_config(Odd(object())) is not None
        assert hash_of_config(Odd(1)) != hash_of_config(Odd(2))
        assert hash_of_config(Odd(None)) is None
