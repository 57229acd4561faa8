"""Weights of classes and of examples train a search's models as they do in ``model.fit``."""

import re

import keras
import numpy as np
import pandas
import pytest
import tomli_w
from sklearn.utils.class_weight import compute_class_weight

import tfcourse
from tests.search.conftest import RATE
from tfcourse import InputError
from tfcourse.search.best.script import training_script
from tfcourse.search.best.trial import read_trial
from tfcourse.search.config.load import load_config
from tfcourse.search.data.loading import load_split
from tfcourse.search.data.weights import balanced_weights, class_numbers, with_class_weights
from tfcourse.search.space.sampling import trial_seed

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype("float32")
Y = (RNG.random(60) < 0.2).astype(int) + (RNG.random(60) < 0.5)
W = RNG.integers(0, 4, 60).astype("float32")
TRAIN, DEV, TEST = slice(40), slice(40, 50), slice(50, None)


def build(input_shape, classes):
    head = keras.layers.Dense(classes, activation="softmax")
    return keras.Sequential([keras.Input(input_shape), head])


def search_of(folder, weights=False, **settings):
    """A search of one trial whose epochs are one step, so that the order does not matter."""
    sets = {
        name: (X[rows], Y[rows], *([W[rows]] if weights else []))
        for name, rows in (("train", TRAIN), ("dev", DEV), ("test", TEST))
    }
    settings = {"epochs": 2, "batch_size": 60, "optimizer": "gradient_descent", **settings}
    sets |= {name: settings.pop(name) for name in sets if name in settings}
    return tfcourse.Search(out=folder, build=build, space=RATE, trials=1, **sets, **settings)


def assert_trained_like(result, weight=None, y=Y, weighted_metrics=None, **arguments):
    """Compare a search's only trial with ``model.fit``, and its test with ``model.evaluate``."""
    keras.utils.set_random_seed(trial_seed(0, 0))
    model = build((4,), 3)
    rate = result.trials[0].values["learning_rate"]
    model.compile(
        keras.optimizers.SGD(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        weighted_metrics=weighted_metrics,
        run_eagerly=True,
    )
    dev = (X[DEV], y[DEV], *([] if weight is None else [weight[DEV]]))
    epochs = result.best.best_epoch
    history = model.fit(
        X[TRAIN], y[TRAIN], 60, epochs, validation_data=dev, verbose=0, **arguments
    ).history
    assert {*history} == {*result.best.history}
    for name, values in history.items():
        np.testing.assert_allclose(result.best.history[name][:epochs], values, 1e-5, err_msg=name)
    of_test = {} if weight is None else {"sample_weight": weight[TEST]}
    measured = model.evaluate(X[TEST], y[TEST], verbose=0, return_dict=True, **of_test)
    assert result.summary.test == pytest.approx(measured, rel=1e-5)


def test_balanced_classes_are_scikit_learns(tmp_path):
    weights = compute_class_weight("balanced", classes=np.arange(3), y=Y[TRAIN])
    expected = dict(enumerate(weights))
    assert balanced_weights(Y[TRAIN]) == pytest.approx(expected)
    result = search_of(tmp_path, class_weight="balanced", objective="val_loss").run(verbose=False)
    assert_trained_like(result, class_weight=expected)


def test_weights_of_examples_weigh_the_losses_of_all_sets(tmp_path):
    weighted = ["accuracy", "sparse_top_k_categorical_accuracy"]
    search = search_of(
        tmp_path, weights=True, weighted_metrics=weighted, objective="val_weighted_accuracy"
    )
    assert search.config.direction == "max"
    result = search.run(verbose=False)
    history = result.best.history
    assert history["val_weighted_accuracy"] != history["val_accuracy"]
    assert_trained_like(result, weight=W, weighted_metrics=weighted, sample_weight=W[TRAIN])


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_a_table_of_classes_is_of_the_labels(tmp_path, loss):
    config = search_of(tmp_path, class_weight={1: 5.0, "2": 0.5}, loss=loss).config
    part = with_class_weights(config, load_split(config))
    np.testing.assert_array_equal(part.weight, np.array([1, 5, 0.5])[Y[TRAIN]])
    assert config.as_tables()["training"]["class_weight"] == {"1": 5.0, "2": 0.5}


def test_balanced_classes_are_of_the_train_set_of_each_fold(tmp_path, untrained, monkeypatch):
    from tfcourse.search.trials import trial

    seen = []
    plain = trial.with_class_weights
    monkeypatch.setattr(
        trial, "with_class_weights", lambda *parts: seen.append(plain(*parts)) or seen[-1]
    )
    search_of(tmp_path, class_weight="balanced", folds=3).run(verbose=False)
    assert len(seen) == 3
    for part in seen:
        weights = compute_class_weight("balanced", classes=np.arange(3), y=part.y)
        np.testing.assert_allclose(part.weight, weights[part.y], rtol=1e-6)


def file_of(folder, weight="w", training=(), values=W, **data):
    """A config of a csv with a column of weights."""
    rows = np.c_[X, values, Y]
    path = folder / "data.csv"
    np.savetxt(path, rows, "%s", ",", header=f"a,b,c,d,{weight},label", comments="")
    tables = {
        "search": {"name": "search", "trials": 1},
        "data": {"source": "csv", "path": "data.csv", "sample_weight": weight, **data},
        "model": {"builder": "linear"},
        "training": {"epochs": 1, "optimizer": "gradient_descent", **dict(training)},
        "space": RATE,
    }
    (folder / "search.toml").write_text(tomli_w.dumps(tables), encoding="utf-8")
    return folder / "search.toml"


def test_a_column_of_weights_is_no_feature(tmp_path, monkeypatch):
    path = file_of(tmp_path, training={"weighted_metrics": ["accuracy"]})
    text = path.read_text().replace("trials = 1", 'trials = 1\nobjective = "val_weighted_accuracy"')
    path.write_text(text, encoding="utf-8")
    split = load_split(load_config(path))
    assert split.shape == (4,)
    weights = {tuple(x): w for x, w in zip(X.tolist(), W.tolist(), strict=True)}
    for part in split.parts.values():
        assert part.weight.tolist() == [weights[tuple(x)] for x in part.x.tolist()]
    # The program that trains a trial again weighs the examples too.
    search = tfcourse.Search.from_toml(path, out=tmp_path)
    result = search.run(verbose=False)
    assert f"# val_weighted_accuracy {result.best.score} (" in read_trial(search.directory).text()
    names = {}
    exec(training_script(search.config, search.directory, result.best), names)
    assert names["scores"] == [result.best.score]
    assert names["history"]["loss"] == result.best.history["loss"]


def test_a_column_of_a_parquet_file(tmp_path):
    path = file_of(tmp_path)
    of_csv = load_split(load_config(path)).train
    pandas.read_csv(tmp_path / "data.csv").to_parquet(tmp_path / "data.parquet")
    path.write_text(path.read_text().replace("csv", "parquet"), encoding="utf-8")
    part = load_split(load_config(path)).train
    np.testing.assert_array_equal(part.x, of_csv.x)
    np.testing.assert_array_equal(part.weight, of_csv.weight)


def test_the_program_of_a_trial_weighs_the_classes(tmp_path):
    path = file_of(tmp_path)
    text = path.read_text().replace('sample_weight = "w"\n', "")
    path.write_text(text.replace("epochs = 1", 'epochs = 1\nclass_weight = "balanced"'))
    search = tfcourse.Search.from_toml(path, out=tmp_path)
    result = search.run(verbose=False)
    names = {}
    exec(training_script(search.config, search.directory, result.best), names)
    assert names["scores"] == [result.best.score]


def test_classes_of_a_table_have_their_names(tmp_path):
    names, sets = (
        np.array(["cat", "dog", "a b"])[Y],
        np.repeat(["train", "dev", "test"], [40, 10, 10]),
    )
    rows = np.c_[X.astype(object), sets, names]
    path = tmp_path / "pets.csv"
    np.savetxt(path, rows, "%s", ",", header="a,b,c,d,set,label", comments="")
    search = tfcourse.Search(
        source="csv",
        path=str(path),
        split_by="set",
        class_weight={"cat": 3, "dog": 0.5},
        weighted_metrics=["accuracy"],
        objective="val_loss",
        epochs=2,
        batch_size=60,
        optimizer="gradient_descent",
        build=build,
        space=RATE,
        trials=1,
        out=tmp_path,
    )
    of_names = {"cat": 3.0, "dog": 0.5, "a b": 1.0}
    part = with_class_weights(search.config, load_split(search.config))
    assert part.weight.tolist() == [of_names[name] for name in names[TRAIN]]
    # The classes are numbered in the order of their names.
    numbers = np.unique(names, return_inverse=True)[1]
    result = search.run(verbose=False)
    assert_trained_like(
        result, y=numbers, weighted_metrics=["accuracy"], class_weight={0: 1, 1: 3, 2: 0.5}
    )


NAMES = {
    "texts": (["dog"], ("cat", "dog"), 1),
    "numbers without names": (["1"], None, 1),
    "numbers of texts": (["1"], ("cat", "dog"), 1),
    "other numbers": (["-1"], (-1, 1), 0),
    "every number": (["1", "2"], (1, 2), 0),
    "the same numbers": (["0"], (0, 5), 0),
}


@pytest.mark.parametrize(("keys", "names", "number"), NAMES.values(), ids=NAMES)
def test_the_number_of_a_class(keys, names, number):
    assert class_numbers(keys, 2, names, "class_weight")[keys[0]] == number


NO_NAMES = {
    "a typing error": (
        ["cta"],
        ("cat", "dog"),
        r"class_weight: the class must be one of \"cat\", \"dog\"\. Received: 'cta'\..*\"cat\"\?",
    ),
    "a name and a number": (["dog", "0"], ("cat", "dog"), r".* must be one of .* Received: '0'\."),
    "twofold": (
        ["1"],
        (1, 2),
        r'class_weight: "1" is the name of one class and the number of .* by its name: "1", "2"\.',
    ),
}


@pytest.mark.parametrize(("keys", "names", "said"), NO_NAMES.values(), ids=NO_NAMES)
def test_a_class_that_there_is_not(keys, names, said):
    with pytest.raises(InputError) as caught:
        class_numbers(keys, 2, names, "class_weight")
    assert re.fullmatch(said, str(caught.value)), str(caught.value)


NAN = np.where(np.arange(60) == 7, "", W.astype(str))
FILES = {
    "an empty cell": ({"values": NAN}, r".*must be finite and >= 0\. Received: nan in row 7.*"),
    "a text": (
        {"values": np.where(NAN == "", "one", NAN)},
        r".*\[data\] .*the column \"w\" must hold numbers >= 0\. Received: 'one' in row 7\.",
    ),
    "no column": ({"sample_weight": "v"}, r'.*\[data\] .* must be one of .*"w".* \'v\'.*'),
    "both": (
        {"training": {"class_weight": "balanced"}},
        r".*\[training\] class_weight and \[data\] sample_weight exclude each other.*",
    ),
}


@pytest.mark.parametrize(("tables", "said"), FILES.values(), ids=FILES)
def test_a_wrong_column_is_refused(tmp_path, tables, said):
    path = file_of(tmp_path, **tables)
    with pytest.raises(InputError) as caught:
        load_split(load_config(path))
    assert re.fullmatch(said, str(caught.value)), str(caught.value)


class Unweighted(keras.metrics.Mean):
    """A metric that takes no weights."""

    def update_state(self, y_true, y_pred):
        super().update_state(y_pred)


SURE = keras.metrics.SparseTopKCategoricalAccuracy(2, name="top_2")
WEIGHTED = {
    "one object": (
        {"metrics": [SURE], "weighted_metrics": [SURE]},
        r".*: metrics and weighted_metrics both have \".*:top_2\", one object with one state\. .*",
    ),
    "unknown": (
        {"weighted_metrics": ["acuracy"]},
        r".*: weighted_metrics must be one of \"accuracy\", .*",
    ),
    "another target": (
        {"weighted_metrics": ["auc"]},
        r'.*: weighted_metrics: "auc" does not fit the loss\. .*',
    ),
    "twice": (
        {"weighted_metrics": ["accuracy", "accuracy"]},
        r".*: weighted_metrics must differ\. Received: .*",
    ),
    "a table": (
        {"weighted_metrics": {"kind": ["accuracy"]}},
        r".*: weighted_metrics must be a table by output if loss is one, and only then\. .*",
    ),
}


@pytest.mark.parametrize(("settings", "said"), WEIGHTED.values(), ids=WEIGHTED)
def test_wrong_weighted_metrics_are_refused_at_construction(tmp_path, settings, said):
    with pytest.raises(InputError) as caught:
        search_of(tmp_path, **settings)
    assert re.fullmatch(said, str(caught.value)), str(caught.value)


def test_a_metric_of_ones_own_is_called_with_weights_first(tmp_path):
    search = search_of(tmp_path, weighted_metrics=[Unweighted], metrics=[Unweighted])
    said = (
        r'\[training\] weighted_metrics: ".*:Unweighted" failed for y_true .* and sample_weight of'
    )
    with pytest.raises(InputError, match=said):
        search.run(verbose=False)


ARGUMENTS = {
    "no class": ({"class_weight": {"3": 1.0}}, r'.*: the class must be one of "0", "1", "2".*'),
    "a text": ({"class_weight": {"a": 1.0}}, r'.*: the class must be one of "0", "1", .* \'a\'.*'),
    "less than 0": ({"class_weight": {"1": -1.0}}, r".*class_weight.*greater than or equal to 0.*"),
    "nothing left": ({"class_weight": dict.fromkeys("012", 0.0)}, r".* is 0 for every class .*"),
    "a regression": ({"class_weight": "balanced", "loss": "mse"}, r".* is for classes, and .*"),
    "both": ({"class_weight": "balanced", "weights": True}, r".*exclude each other, as in Keras.*"),
    "the weights themselves": ({"sample_weight": W}, r".*Give weights as the third of data=.*"),
    "no column": (
        {"sample_weight": "w"},
        r".*is a column or array of source \"csv\".* \"arrays\"; .*",
    ),
    "a set of zeros": (
        {"weights": True, "dev": (X[DEV], Y[DEV], np.zeros(10))},
        r".*dev: sample_weight is 0 in all 10 examples; .*",
    ),
}


@pytest.mark.parametrize(("settings", "said"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_wrong_weights_are_refused_before_any_training(tmp_path, settings, said):
    with pytest.raises(InputError) as caught:
        load_split(search_of(tmp_path, **settings).config)
    assert re.fullmatch(said, str(caught.value)), str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_set_may_have_none(tmp_path):
    config = search_of(tmp_path, weights=True, dev=(X[DEV], Y[DEV])).config
    split = load_split(config)
    np.testing.assert_array_equal(split.dev.weight, np.ones(10))
    np.testing.assert_array_equal(split.train.weight, W[TRAIN])
