"""`fit`, `evaluate` and `predict` of models that run eagerly: losses and metrics see values."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from tests.training.parity import assert_same_variables
from tfcourse import evaluate, fit, predict

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")
DATA = {
    "arrays": {"x": X, "y": Y, "batch_size": 20},
    "dataset": {"x": tf.data.Dataset.from_tensor_slices((X, Y)).batch(20)},
}


def auc(y, p):
    return roc_auc_score(y.numpy(), p.numpy())


def loss(y, p):
    return tf.constant(np.square(y.numpy() - p.numpy()).mean()) + 0 * tf.reduce_mean(p)


class OwnStep(keras.Model):
    def train_step(self, data):
        assert float(tf.reduce_sum(data[0])) < 1e9
        return super().train_step(data)


def compiled(kind="one", eagerly=True):
    keras.utils.set_random_seed(0)
    x = keras.Input((3,))
    heads = [keras.layers.Dense(1, activation="sigmoid", name=name)(x) for name in ("a", "b")]
    if kind == "two":
        model = keras.Model(x, heads)
        model.compile("sgd", ["mse", loss], metrics=[[auc], ["mae"]], run_eagerly=eagerly)
        return model
    model = OwnStep(x, heads[0]) if kind == "own" else keras.Model(x, heads[0])
    model.compile("adam", "binary_crossentropy", metrics=[auc], run_eagerly=eagerly)
    return model


@pytest.fixture
def everything_eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def same(kind, data, eagerly=True):
    ours, theirs = compiled(kind, eagerly), compiled(kind, eagerly)
    options = {"epochs": 2, "shuffle": False, "verbose": 0}
    validation = data["x"] if "y" not in data else (data["x"], data["y"])
    expected = theirs.fit(**data, validation_data=validation, **options).history
    found = fit(ours, **data, validation_data=validation, **options).history
    assert found == expected
    assert_same_variables(ours, theirs)
    scores = evaluate(compiled(kind, eagerly), **data, verbose=0)
    assert scores == compiled(kind, eagerly).evaluate(**data, verbose=0)
    return ours, theirs


@pytest.mark.parametrize("kind", ["one", "own"])
@pytest.mark.parametrize("form", DATA)
def test_metrics_of_values(kind, form):
    ours, theirs = same(kind, DATA[form])
    outputs = predict(ours, X, verbose=0)
    np.testing.assert_array_equal(outputs, theirs.predict(X, verbose=0))


def test_several_outputs():
    same("two", {"x": X, "y": [Y, Y], "batch_size": 20})


@pytest.mark.filterwarnings("ignore:Even though")  # what TensorFlow says of Keras's datasets
def test_all_functions_eagerly(everything_eagerly):
    same("one", DATA["arrays"], eagerly=False)
