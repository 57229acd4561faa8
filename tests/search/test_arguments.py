"""A search without a file: the same config as a file's, and the data that it ran on."""

import functools
import json
import re
import tomllib

import keras
import keras_tuner
import numpy as np
import pytest

import tfcourse
from tests.search.conftest import RATE, load
from tfcourse import InputError, Search
from tfcourse.search.data.loading import load_split
from tfcourse.search.runtime import execution
from tfcourse.search.store.data_record import data_record

RNG = np.random.default_rng(0)
Y = np.arange(60) % 3
X = RNG.normal(size=(60, 4)) + 3 * Y[:, None]


def linear(input_shape, classes, units: int = 8):
    layers = [keras.layers.Dense(units), keras.layers.Dense(classes, activation="softmax")]
    return keras.Sequential([keras.Input(input_shape), *layers])


def tuned(hp):
    return linear((4,), 3, hp.Int("units", 4, 8))


class Tuned(keras_tuner.HyperModel):
    def build(self, hp):
        return tuned(hp)


QUICK = {"space": RATE, "epochs": 2, "batch_size": 12, "optimizer": "gradient_descent", "trials": 2}


@pytest.fixture
def search(tmp_path):
    return lambda **arguments: Search(out=tmp_path / "runs", **{**QUICK, **arguments})


def test_it_is_the_config_of_a_file(tmp_path):
    settings = {
        "search": {"name": "x", "trials": 4, "seed": 3, "strategy": "coarse_to_fine"},
        "data": {"source": "digits", "normalize": "standardize", "seed": 5},
        "model": {"builder": "mlp", "units": 16},
        "training": {
            "epochs": 3,
            "learning_rate": 0.5,
            "folds": 3,
            "metrics": ["accuracy"],
            "early_stopping": {"patience": 2},
        },
        "space": {"beta_1": {"low": 0.9, "high": 0.99, "scale": "one_minus_log"}},
    }
    settings["search"]["coarse_to_fine"] = {"trials_per_round": 2}
    planned = Search(
        space=settings["space"],
        build="mlp",
        arguments={"units": 16},
        **settings["search"],
        **settings["training"],
        source="digits",
        normalize="standardize",
        data_seed=5,
    )
    assert planned.config == load(tmp_path, settings)
    assert planned.config.as_tables() == load(tmp_path, settings).as_tables()


def test_the_same_search_as_a_files(search, quick):
    """The function and arrays of `quick`, given as objects."""
    import sys

    from_file = quick(search={"trials": 2})
    module = sys.modules[from_file.config.builder.function.__module__]
    given = search(build=module.linear, data=module.points(), name="given")
    ours, theirs = given.run(verbose=False), from_file.run(verbose=False)
    for trial, record in theirs.trials.items():
        assert ours.trials[trial].values == record.values
        assert ours.trials[trial].history == record.history
    assert ours.summary.test == theirs.summary.test
    assert given.config.in_memory and not from_file.config.in_memory


def test_the_three_sets(search):
    parts = [(X[a:b], Y[a:b]) for a, b in ((0, 30), (30, 45), (45, 60))]
    planned = search(build=linear, train=parts[0], dev=parts[1], test=parts[2])
    split = load_split(planned.config)
    for part, (x, y) in zip((split.train, split.dev, split.test), parts, strict=True):
        np.testing.assert_array_equal(part.x, x.astype(np.float32))
        np.testing.assert_array_equal(part.y, y)
    assert planned.config.data.split == (0.5, 0.25, 0.25)
    result = planned.run(verbose=False)
    found = result.best_model().evaluate(*parts[2], verbose=0, return_dict=True)
    assert result.summary.test == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (linear, f"{__name__}:linear"),
        (tuned, f"{__name__}:tuned"),
        (Tuned, f"{__name__}:Tuned"),
        (Tuned(), f"{__name__}:Tuned"),
        (lambda shape, classes: linear(shape, classes, 5), f"{__name__}:<lambda>"),
        (
            functools.partial(linear, units=6),
            f"functools.partial({__name__}:linear, units=6)",
        ),
    ],
    ids=["function", "hypermodel", "class", "instance", "lambda", "partial"],
)
def test_what_may_be_built(search, build, name):
    planned = search(build=build, data=(X, Y), trials=1)
    assert planned.config.model.builder == planned.config.builder.name == name
    result = planned.run(verbose=False)
    assert result.best.status == "completed"
    kept = tomllib.loads((result.directory / "config.toml").read_text())
    assert (kept["model"]["builder"], kept["data"]["source"]) == (name, "arrays")


def test_a_closure(search):
    """What a notebook has: a function that uses what is around it."""
    units = 5

    def build(input_shape, classes):
        return linear(input_shape, classes, units)

    result = search(build=build, data=(X, Y), trials=1).run(verbose=False)
    assert result.best_model().layers[0].units == 5


def test_numbers_to_predict(search):
    result = search(
        arguments={"layers": 1, "units": 8}, data=(X, X.sum(axis=1)), loss="mse", trials=1
    ).run(verbose=False)
    assert set(result.summary.test) == {"loss", "mean_absolute_error"}


ERRORS = {
    "no trials": ({"trials": None}, r"Search: trials is required and missing\."),
    "unknown": ({"trails": 3}, r'Search: "trails" is not an argument\. Did you mean "trials"\? .*'),
    "value": ({"epochs": 0}, r"Search: epochs: must be greater than or equal to 1\. Rec.*: 0\."),
    "seed of the data": ({"data_seed": -1}, r"Search: data_seed: must be greater .*"),
    "space": (
        {"space": {"learning_rate": {"low": 1.0, "high": 0.1}}},
        r'Search: space\["learning_rate"\] low must be < high\. Received: 1\.0 and 0\.1\.',
    ),
    "no space": ({"space": {}}, r"Search: space must hold at least one table, .*"),
    "name in the space": (
        {"space": {"unit": {"low": 1, "high": 2}}},
        r'Search: space\["unit"\] is not an argument .* Did you mean "units"\? .*',
    ),
    "argument": ({"arguments": {"unit": 3}}, r'Search: arguments\["unit"\] is not an argument .*'),
    "setting of a strategy": (
        {"strategy": "coarse_to_fine", "coarse_to_fine": {"keep": 0.0}},
        r'Search: coarse_to_fine\["keep"\]: must be greater than 0\. Received: 0\.0\.',
    ),
    "early stopping": (
        {"early_stopping": {"patience": 0}},
        r'Search: early_stopping\["patience"\]: must be greater than or equal to 1\. .*',
    ),
    "objective": ({"objective": "val_los"}, r'Search: objective must be one of .*"val_loss"\?'),
    "builder": ({"build": "mpl"}, r'Search: build must be one of "mlp", .*'),
    "builder's arguments": (
        {"build": lambda: None},
        r'Search: build: ".*:<lambda>" must take \(input_shape, classes, \.\.\.\), or .*',
    ),
    "what a file can't hold": (
        {"arguments": {"units": 8}, "space": {"activation": {"values": [keras.activations.relu]}}},
        r"Search: (arguments and space must hold what a TOML file can|space.*).*",
    ),
    "no pair": ({"data": X}, r"Search: data must be \(x, y\) or .* Received: ndarray\."),
    "four arrays": ({"data": (X, Y, Y, Y)}, r"Search: data must be .* Received: tuple of 4\."),
    "lengths": ({"data": (X, Y[:-1])}, r"Search: data must be .*shapes \(60, 4\) and \(59,\)\."),
    "no array": ({"data": (3.0, Y)}, r"Search: data must be .* Received: float and ndarray\."),
    "inputs without names": (
        {"data": ([X, X[:, :2]], Y)},
        r"Search: x of data is a list of 2 arrays\. Several inputs are a dict of arrays by .*",
    ),
    "outputs without names": (
        {"data": (X, (Y, Y * 2.0))},
        r"Search: y of data is a tuple of 2 arrays\. Several outputs are a dict of arrays by .*",
    ),
    "a lacking input": (
        {"train": ({"a": X, "b": X}, Y), "dev": ({"a": X}, Y), "test": ({"a": X, "b": X}, Y)},
        r'Search: x of dev must have the names of x of train: a dict of "a", "b"\. .* "a"\.',
    ),
    "a lacking output": (
        {"train": (X, {"a": Y}), "dev": (X, Y), "test": (X, {"a": Y})},
        r'Search: y of dev must have .* of y of train: a dict of "a"\. Received: an array\.',
    ),
    "lengths of inputs": (
        {"data": ({"a": X, "b": X[1:]}, Y)},
        r'Search: data must be .* Received: x\["a"\] \(60, 4\) and x\["b"\] \(59, 4\) and y .*',
    ),
    "inputs of a builder of one": (
        {"data": ({"a": X}, Y)},
        r'Search: build "mlp" makes models of one input\. Received: x as a dict of a; give .*',
    ),
    "an input to normalize": (
        {"data": ({"a": X}, Y), "build": lambda s, c: None, "normalize": {"b": "min_max"}},
        r'Search: normalize: the input must be one of "a"\. Received: \'b\'\.',
    ),
    "no input to normalize": (
        {"data": (X, Y), "normalize": {"b": "min_max"}},
        r"Search: normalize as a table is for x as a dict of inputs\. Received: x as an array; .*",
    ),
    "weights": (
        {"data": (X, Y, np.where(Y, 1, np.nan))},
        r"Search: data: sample_weight must be finite and >= 0\. Received: nan in row 0, .*",
    ),
    "no dev": ({"train": (X, Y), "test": (X, Y)}, r"Search: train and dev .* Missing: dev\. .*"),
    "data and dev": ({"data": (X, Y), "dev": (X, Y)}, r"Search: data is to be split; it excl.*"),
    "shapes": (
        {"train": (X, Y), "dev": (X[:, 1:], Y), "test": (X, Y)},
        r"Search: All sets must have the same shapes: train \(60, 4\) and \(60,\), .*",
    ),
}


@pytest.mark.parametrize(("arguments", "said"), ERRORS.values(), ids=ERRORS)
def test_one_mistake_gives_one_line(search, arguments, said):
    with pytest.raises(InputError) as error:
        search(**arguments)
    assert re.fullmatch(said, str(error.value)), str(error.value)


def test_labels_are_checked_before_any_training(search):
    with pytest.raises(InputError, match=r"\[data\] the arrays: the labels y must be 0, 1, "):
        search(data=(X, Y + 1)).run(verbose=False)


@pytest.mark.parametrize(
    "more", [{"trials": 3}, {"build": linear}, {"test": (X, Y)}], ids=["setting", "build", "test"]
)
def test_a_config_is_alone(more):
    config = Search(**QUICK).config
    with pytest.raises(InputError, match="config says everything"):
        Search(config, **more)


def test_the_record_of_arrays_is_no_config_of_its_own(search):
    result = search(build=linear, data=(X, Y), trials=1).run(verbose=False)
    with pytest.raises(InputError, match=r'source "arrays" stands for arrays in Python'):
        Search.from_toml(result.directory / "config.toml")


@pytest.mark.usefixtures("untrained")
class TestData:
    """A search does not go on with other data than it began with."""

    def test_its_record(self, search):
        planned = search(build=linear, data=(X, Y), trials=1)
        kept = json.loads((planned.run(verbose=False).directory / "data.json").read_text())
        assert kept == data_record(load_split(planned.config))
        assert kept["train_x"] == {"shape": [36, 4], "dtype": "float32"}
        assert kept["test_y"] == {"shape": [12], "dtype": "int64"}
        assert re.fullmatch("[0-9a-f]{64}", kept["sha256"])

    def test_every_value_counts(self, search):
        def digest(x, y):
            return data_record(load_split(search(data=(x, y)).config))["sha256"]

        other = X.copy()
        other[7, 2] += 1e-3
        swapped = np.concatenate([Y[1:2], Y[:1], Y[2:]])
        digests = {digest(X, Y), digest(other, Y), digest(X, swapped), digest(X[:, ::-1], Y)}
        assert len(digests) == 4
        assert digest(X.copy(), Y.astype(np.uint8)) == digest(X, Y)

    @pytest.mark.parametrize("trials", [1, 2], ids=["complete", "more"])
    def test_other_data_is_refused(self, search, trials):
        search(build=linear, data=(X, Y), trials=1).run(verbose=False)
        changed = search(build=linear, data=(X + 1, Y), trials=trials)
        said = r"the data is another than when the search began \(the shapes are the same, the .*"
        with pytest.raises(InputError, match=said + "Start over with --fresh"):
            changed.run(verbose=False)
        assert changed.run(verbose=False, fresh=True).best.status == "completed"

    def test_other_shapes_are_told(self, search):
        search(build=linear, data=(X, Y), trials=1).run(verbose=False)
        more = search(build=linear, data=(np.tile(X, (2, 1)), np.tile(Y, 2)), trials=2)
        with pytest.raises(
            InputError, match=r"train_x is float32 \(36, 4\) there and .* \(72, 4\)"
        ):
            more.run(verbose=False)

    def test_a_file_that_changed(self, tmp_path, monkeypatch):
        def toml(x):
            np.savez(tmp_path / "data.npz", x=x, y=Y)
            return {
                "search": {"name": "file", "trials": 1},
                "data": {"source": "npz", "path": "data.npz"},
                "model": {"layers": 1, "units": 4},
                "training": {"epochs": 1},
                "space": RATE,
            }

        planned = Search(load(tmp_path, toml(X)), tmp_path / "runs")
        planned.run(verbose=False)
        assert planned.run(verbose=False).was_complete
        changed = Search(load(tmp_path, toml(X + 1)), tmp_path / "runs")
        monkeypatch.setattr(execution, "execute", None)
        with pytest.raises(InputError, match="the data is another"):
            changed.run(verbose=False)

    def test_a_record_without_it_is_completed(self, search):
        planned = search(build=linear, data=(X, Y), trials=1)
        directory = planned.run(verbose=False).directory
        kept = (directory / "data.json").read_text()
        (directory / "data.json").write_text(kept[:50])
        search(build=linear, data=(X, Y)).run(verbose=False)
        assert (directory / "data.json").read_text() == kept
        assert tfcourse.load_model(directory / "best.keras").built
