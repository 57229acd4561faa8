"""A search over the user's tf.data.Datasets and PyDatasets."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.search.conftest import RATE
from tfcourse import Search
from tfcourse.errors import InputError
from tfcourse.search.data.loading import load_split
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.trials.building import build_trial

RNG = np.random.default_rng(0)
Y = RNG.permutation(np.arange(60) % 3)
X = (RNG.normal(size=(60, 4)) + 3 * Y[:, None]).astype(np.float32)
PARTS = {"train": slice(0, 36), "dev": slice(36, 48), "test": slice(48, 60)}


def tensors(name="train", y=Y):
    return tf.data.Dataset.from_tensor_slices((X[PARTS[name]], y[PARTS[name]]))


class Batches(keras.utils.PyDataset):
    """Batches of 8; it counts the epochs."""

    def __init__(self, name, length=None, **options):
        super().__init__(**options)
        self.x, self.y, self.epochs = X[PARTS[name]], Y[PARTS[name]], 0
        self.length = -(-len(self.y) // 8) if length is None else length

    def __getitem__(self, index):
        rows = slice(8 * index, 8 * index + 8)
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.epochs += 1

    @property
    def num_batches(self):
        return self.length


class Endless(Batches):
    num_batches = None

    def __getitem__(self, index):
        return super().__getitem__(index % 5)


def search(tmp_path, name="sets", **settings):
    settings = {"space": RATE, "build": "linear", "trials": 1, "epochs": 2, **settings}
    settings = {"batch_size": 8, "optimizer": "gradient_descent", **settings}
    return Search(out=tmp_path, name=name, **settings)


def run(tmp_path, name="sets", **settings):
    return search(tmp_path, name, **settings).run(verbose=False)


def history(result):
    return result.trials[0].history


def reference(searched, result, **arguments):
    """The history of trial 0's model trained by ``model.fit``."""
    config, values = searched.config, result.trials[0].values
    model = build_trial(config, load_split(config), values, trial_seed(config.search.seed, 0))
    model.run_eagerly, model.jit_compile = True, False  # a few steps, quicker than their traces
    return model.fit(epochs=2, verbose=0, shuffle=False, **arguments).history


def same(one, other):
    assert one.keys() == other.keys()
    for metric in one:
        np.testing.assert_allclose(one[metric], other[metric], rtol=2e-5, atol=1e-6)


def test_single_examples_are_batched_as_model_fit_batches_arrays(tmp_path):
    sets = {name: tensors(name) for name in PARTS}
    searched = search(tmp_path, **sets)
    result = searched.run(verbose=False)
    dev = X[PARTS["dev"]], Y[PARTS["dev"]]
    arguments = {"x": X[:36], "y": Y[:36], "batch_size": 8, "validation_data": dev}
    same(history(result), reference(searched, result, **arguments))
    model = result.best_model()
    test = model.evaluate(X[PARTS["test"]], Y[PARTS["test"]], verbose=0, return_dict=True)
    assert result.summary.test == pytest.approx(test, rel=1e-5)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return run(tmp_path_factory.mktemp("plain"), train=tensors(), dev=tensors("dev"))


FORMS = ["batches", "unknown length", "one-hot", "column", "endless"]


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_of_the_same_examples_give_the_same_numbers(tmp_path, plain, form):
    settings = {"train": tensors(), "dev": tensors("dev")}
    if form == "batches":
        settings = {name: each.batch(8) for name, each in settings.items()} | {"batch_size": 5}
    elif form == "unknown length":
        settings = {name: each.filter(lambda x, y: y < 3) for name, each in settings.items()}
        assert int(settings["train"].cardinality()) == tf.data.UNKNOWN_CARDINALITY
    elif form == "one-hot":
        rows = np.eye(3)[Y]
        settings = {name: tensors(name, rows) for name in settings}
        settings |= {"loss": "categorical_crossentropy"}
    elif form == "column":
        settings = {name: tensors(name, Y[:, None].astype(np.float32)) for name in settings}
    elif form == "endless":
        settings = {"train": tensors().batch(8).repeat(), "dev": tensors("dev").repeat()}
        settings |= {"steps_per_epoch": 5, "validation_steps": 2}
        dev = tensors("dev").repeat().take(16)
        plain = run(tmp_path, "two", train=tensors().batch(8), dev=dev)
    result = run(tmp_path, **settings)
    same(history(result), history(plain))


def test_a_searched_batch_size_is_that_of_a_dataset_of_batches_too(tmp_path):
    space = {**RATE, "batch_size": {"values": [4, 12]}}
    one = run(tmp_path, "one", space=space, train=tensors(), dev=tensors("dev"))
    other = run(tmp_path, "other", space=space, train=tensors().batch(7), dev=tensors("dev"))
    same(history(one), history(other))


def test_normalize_is_that_of_the_arrays(tmp_path):
    settings = {"normalize": "standardize"}
    streamed = search(tmp_path, train=tensors(), dev=tensors("dev"), **settings)
    result = streamed.run(verbose=False)
    x = (X - X[:36].mean(0, dtype=np.float64)) / X[:36].std(0, dtype=np.float64)
    dev = x[PARTS["dev"]], Y[PARTS["dev"]]
    arguments = {"x": x[:36], "y": Y[:36], "batch_size": 8, "validation_data": dev}
    same(history(result), reference(streamed, result, **arguments))
    first = result.best_model().predict(X, verbose=0)
    np.testing.assert_allclose(first, result.best_model().layers[-1].predict(x, verbose=0), 1e-4)


def test_a_py_dataset_has_its_batches_in_an_order_of_seed_and_epoch(tmp_path):
    sets = {name: Batches(name) for name in PARTS}
    one = run(tmp_path, "one", normalize="min_max", **sets)
    assert sets["train"].epochs >= 2
    two = {name: Batches(name, workers=2) for name in PARTS}
    other = run(tmp_path, "two", normalize="min_max", **two)
    same(history(one), history(other))
    assert one.summary.test == pytest.approx(other.summary.test)
    third = run(tmp_path, "three", seed=1, **sets)
    assert history(third)["loss"] != history(one)["loss"]


def test_an_endless_py_dataset_has_the_steps_that_it_is_given(tmp_path, plain):
    sets = {"train": Endless("train"), "dev": Batches("dev")}
    same(history(run(tmp_path, steps_per_epoch=5, **sets)), history(plain))


def test_the_order_of_a_shuffle_buffer_comes_from_seed_and_epoch(tmp_path, plain):
    sets = {"train": tensors(), "dev": tensors("dev")}
    one = run(tmp_path, "one", shuffle_buffer=36, **sets)
    again = run(tmp_path, "again", shuffle_buffer=36, **sets)
    assert history(one) == history(again)
    assert history(one) != history(plain)


def test_trials_share_a_compiled_model(tmp_path, plain, caplog):
    """A dataset with an order of its own needs no seed from a global generator."""
    caplog.set_level(logging.WARNING, "tfcourse")
    result = run(tmp_path, train=tensors(), dev=tensors("dev"), trials=3)
    assert result.efforts["main"].reused == 2
    assert history(result) == history(plain)
    assert "global generator" not in caplog.text


def test_an_order_that_differs_each_time_is_warned_of(tmp_path, caplog, untrained):
    caplog.set_level(logging.WARNING, "tfcourse")
    shuffled = search(tmp_path, train=tensors().shuffle(36), dev=tensors("dev"))
    shuffled.run(verbose=False)
    (line,) = [r.getMessage() for r in caplog.records if "begins with another" in r.getMessage()]
    assert "train: the dataset" in line and "give shuffle_buffer" in line
    longer = search(tmp_path, train=tensors().shuffle(36), dev=tensors("dev"), trials=3)
    assert len(longer.run(verbose=False).trials) == 3
    other = search(tmp_path, train=tensors().take(30), dev=tensors("dev"), trials=4)
    with pytest.raises(InputError, match="the data is another"):
        other.run(verbose=False)


SOURCE = """
    import tensorflow as tf

    def sets():
        x, y = points()
        whole = tf.data.Dataset.from_tensor_slices((x.astype("float32"), y))
        return whole.take(40), whole.skip(40)
"""


def test_a_function_gives_datasets_to_workers(quick):
    searched = quick(SOURCE, points="sets")
    assert searched.config.data.source.endswith(":sets")
    one = searched.run(verbose=False)
    assert one.summary.test == {}
    two = searched.run(verbose=False, fresh=True, workers=2)
    assert {n: r.score for n, r in one.trials.items()} == {
        n: r.score for n, r in two.trials.items()
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dev": None}, r"datasets are to be given as train and dev.*: dev is missing\."),
        ({"dev": (X, Y)}, r"each a tf\.data\.Dataset .*: dev is none\."),
        (
            {"train": None, "dev": None, "data": (tensors(), tensors("dev"))},
            r"datasets are to be given as train and dev.*: data is a pair of them, train is",
        ),
        ({"train": tensors().repeat()}, r"train: the dataset never ends\. .*steps_per_epoch"),
        ({"train": Endless("train")}, r"train: the PyDataset never ends"),
        ({"train": tensors().take(0)}, r"train: the dataset holds no batches"),
        ({"train": tensors().map(lambda x, y: x)}, r"must be \(x, y\) or \(x, y, sample_weight\)"),
        ({"train": tensors(y=Y + 1)}, r"train: the labels must be 0, 1, … C-1\. Received: 1, 2, 3"),
        ({"dev": tensors("dev", Y + 1)}, r"dev has labels that train lacks: 3\."),
        ({"train": tensors(y=np.eye(3)[Y])}, r"train and dev must have examples of the same shape"),
        (
            {"train": tensors(y=np.eye(3)[Y]), "dev": tensors("dev", np.eye(3)[Y])},
            r'rows of 3 numbers, and the loss "sparse_.*are for "categorical_crossentropy"',
        ),
        (
            {"train": tensors().map(lambda x, y: (x / 0.0, y))},
            r"train: x holds numbers that are not finite in batch 0",
        ),
        ({"stratify": True}, r"stratify has no effect on streamed data.*Received: stratify = True"),
        ({"folds": 3}, r"folds of streamed data are not supported"),
        ({"class_weight": "balanced"}, r"class_weight of streamed data is not supported"),
        (
            {"train": Batches("train"), "space": {**RATE, "batch_size": {"values": [4, 8]}}},
            r"train is a PyDataset, which makes its own batches: batch_size can't be searched",
        ),
        ({"workers": 2}, r"Search: datasets stay in this process"),
    ],
)
def test_errors(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        run(tmp_path, **{"train": tensors(), "dev": tensors("dev"), **settings})
