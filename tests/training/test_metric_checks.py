"""Metrics that can't compare y with the model's output as they are."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from tfcourse import evaluate, fit
from tfcourse.errors import InputError

X = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
SUM, CLASSES = X.sum(1), np.arange(30) % 3
ONE_HOT = np.eye(3)[CLASSES]
SEQUENCES = np.random.default_rng(1).normal(size=(30, 4, 3)).astype("float32")


def compiled(model, loss, metrics=None):
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=metrics)
    return model


def dense(units, loss, metrics=None, activation=None, shape=(3,)):
    keras.utils.set_random_seed(0)
    stack = [keras.Input(shape), layers.Dense(units, activation=activation)]
    return compiled(keras.Sequential(stack), loss, metrics)


def refused(said, model, x, y, **options):
    with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
        fit(model, x, y, verbose=0, **options)


ANSWERS = ["binary_accuracy", "mae", keras.metrics.AUC(name="auc"), keras.metrics.R2Score()]


@pytest.mark.parametrize(
    ("model", "x", "y"),
    [
        (lambda: dense(1, "mse", ["mae"]), X, SUM),
        (lambda: dense(1, "mse", ["mae"]), X, SUM[:, None]),
        (lambda: dense(1, "mse", ["mae"], shape=(4, 3)), SEQUENCES, SEQUENCES[..., 0]),
        (lambda: dense(3, "mse", ["mse"]), X, X),
        (lambda: dense(1, "binary_crossentropy", ANSWERS, "sigmoid"), X, CLASSES % 2),
        (lambda: dense(1, lambda y, p: (y - p) ** 2), X, SUM),
        (lambda: dense(3, "sparse_categorical_crossentropy", ["accuracy"], "softmax"), X,
         CLASSES.astype("float32")),
        (lambda: dense(3, "categorical_crossentropy", ["accuracy", keras.metrics.F1Score()],
         "softmax"), X, ONE_HOT),
    ],
    ids=["numbers", "column", "sequences", "rows", "answers", "own loss", "classes", "one-hot"],
)  # fmt: skip
def test_what_keras_computes_rightly_is_trained_on(model, x, y):
    """To the same loss and metrics, and without a warning."""
    ours = fit(model(), x, y, shuffle=False, verbose=0, jit_compile=False).history
    expected = model().fit(x, y, shuffle=False, verbose=0).history
    # The metric objects above are shared by the two models, and so named alike.
    for name, values in expected.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-6)


class TestMetrics:
    @pytest.mark.parametrize(
        ("metric", "name"),
        [
            ("mae", "mean_absolute_error"),
            (keras.metrics.RootMeanSquaredError(), "root_mean_squared_error"),
            (keras.metrics.AUC(name="auc"), "auc"),
        ],
        ids=str,
    )
    def test_one_of_keras_that_would_spread(self, metric, name):
        said = (
            f'y has shape (30,), the model\'s output (None, 3): the metric "{name}" would compare '
            "them as if they were repeated to one shape, or not at all. Give both the same shape."
        )
        model = dense(3, "sparse_categorical_crossentropy", [metric], "softmax")
        refused(said, model, X, CLASSES)
        with pytest.raises(InputError, match=re.escape(said)):
            evaluate(model, X, CLASSES, verbose=0)

    def test_those_of_each_output(self):
        x = keras.Input((3,))
        outputs = {name: layers.Dense(n, name=name)(x) for name, n in (("a", 1), ("b", 2))}
        model = compiled(keras.Model(x, outputs), "mse", {"a": ["mae"], "b": ["mse", "mae"]})
        with pytest.raises(InputError, match=r'^y\["b"\] has shape \(30, 3\), the model'):
            fit(model, X, {"a": SUM, "b": X}, verbose=0)
        fit(model, X, {"a": SUM, "b": X[:, :2]}, verbose=0)

    @pytest.mark.parametrize(
        ("units", "loss", "y", "way"),
        [
            (3, "sparse_categorical_crossentropy", CLASSES, "keras.utils.to_categorical(y, 3)"),
            (1, "binary_crossentropy", CLASSES % 2, "y[:, None]"),
        ],
    )
    def test_f1_score_takes_a_column_an_output(self, units, loss, y, way):
        model = dense(units, loss, [keras.metrics.F1Score(threshold=0.5)], "sigmoid")
        said = (
            f'y has shape (30,), the metric "f1_score" takes one column for each of the model\'s '
            f"outputs, (None, {units}). Pass {way}."
        )
        refused(said, model, X, y)


class SparsePrecision(keras.metrics.Precision):
    """It makes rows of class numbers itself."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(keras.ops.one_hot(y_true, 3), y_pred, sample_weight)


def test_a_subclass_may_take_other_targets():
    def trained(train):
        model = dense(3, "sparse_categorical_crossentropy", [SparsePrecision(name="p")], "softmax")
        return train(model, X, CLASSES, shuffle=False, verbose=0).history

    assert trained(fit)["p"] == pytest.approx(trained(keras.Model.fit)["p"], rel=1e-6)
