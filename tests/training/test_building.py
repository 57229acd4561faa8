"""The variables of a model before its first step: those that Keras creates, with fewer calls."""

import keras
import numpy as np
import pytest

from tests.training.parity import assert_same, both
from tfcourse.training.programs import building
from tfcourse.training.programs.building import build_state
from tfcourse.training.programs.state import state_variables

layers, losses, metrics = keras.layers, keras.losses, keras.metrics
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 4)).astype("float32")
CLASSES = RNG.integers(0, 3, 24)
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]
BINARY = RNG.integers(0, 2, (24, 1))


def first_class(y, outputs):
    return outputs[:, 0]


def absolute_error(y, outputs):
    return keras.ops.mean(abs(y - outputs), -1)


# The outputs, the targets, and the options of compile.
CASES = {
    "a function's name": (3, CLASSES, {"loss": "sparse_categorical_crossentropy"}),
    "accuracy of numbers": (3, CLASSES, {"loss": "crossentropy", "metrics": ["accuracy"]}),
    "accuracy of a column": (
        3,
        CLASSES[:, None],
        {"loss": "crossentropy", "metrics": ["acc"]},
    ),
    "accuracy of rows": (3, ONE_HOT, {"loss": "crossentropy", "metrics": ["accuracy"]}),
    "binary": (1, BINARY, {"loss": "crossentropy", "metrics": ["accuracy", "mae"]}),
    "objects": (
        3,
        ONE_HOT,
        {"loss": losses.Huber(), "metrics": [metrics.MeanSquaredError()]},
    ),
    "weighted": (3, ONE_HOT, {"loss": "mse", "weighted_metrics": ["mae", "accuracy"]}),
    "lists of one": (3, ONE_HOT, {"loss": ["mse"], "metrics": [["mae"]]}),
    "own functions": (3, ONE_HOT, {"loss": absolute_error, "metrics": [first_class]}),
    "AUC": (1, BINARY, {"loss": "mse", "metrics": [metrics.AUC(5, multi_label=True)]}),
    "F1Score": (3, ONE_HOT, {"loss": "mse", "metrics": ["mae", metrics.F1Score()]}),
    "R2Score": (3, ONE_HOT, {"loss": "mse", "metrics": [metrics.R2Score()]}),
}


@pytest.fixture
def calls(monkeypatch):
    """Record the calls of Keras's way to build a model."""
    result = []
    real = building.build_on_symbols
    monkeypatch.setattr(building, "build_on_symbols", lambda *args: result.append(1) or real(*args))
    return result


@pytest.mark.parametrize("case", CASES)
def test_the_variables_are_those_that_keras_creates(case, calls):
    units, y, options = CASES[case]
    ours, theirs = (compiled(units, options) for _ in range(2))
    build_state(ours, (X, y))
    theirs._symbolic_build(data_batch=(X, y))
    assert not calls
    found, expected = (
        [(v.path.split("/")[-1], v.shape, v.dtype) for v in state_variables(model)]
        for model in (ours, theirs)
    )
    assert found == expected
    assert [m.name for m in ours.metrics] == [m.name for m in theirs.metrics]


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_model_fit(case):
    units, y, options = CASES[case]
    assert_same(both(lambda: compiled(units, options), (X, y)))


@pytest.mark.parametrize(("heads", "y"), [(1, [ONE_HOT]), (2, [ONE_HOT, ONE_HOT])])
def test_targets_in_a_list_are_left_to_keras(heads, y, calls):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [layers.Dense(3)(inputs) for _ in range(heads)])
    model.compile("adam", ["mse"] * heads)
    build_state(model, (X, y))
    assert calls


@pytest.mark.parametrize("kind", [list, tuple])
def test_one_output_in_a_list_is_one_output(kind, calls):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, kind([layers.Dense(3)(inputs)]))
    model.compile("adam", "mse", metrics=["accuracy"])
    build_state(model, (X, ONE_HOT))
    assert not calls
    assert type(model.metrics[1].metrics[0]) is metrics.CategoricalAccuracy


class OwnCall(keras.Model):
    """A model of layers that returns something else."""

    def call(self, x):
        return keras.ops.concatenate([super().call(x)] * 3, -1)


def test_a_call_of_ones_own_is_left_to_keras(calls):
    inputs = keras.Input((4,))
    model = OwnCall(inputs, layers.Dense(1)(inputs))
    model.compile("adam", "mse", metrics=["accuracy"])
    build_state(model, (X, ONE_HOT))
    assert calls
    assert type(model.metrics[1].metrics[0]) is metrics.CategoricalAccuracy


@pytest.mark.parametrize("name", ["compute_metrics", "compute_loss"])
def test_what_a_model_computes_itself_is_left_to_keras(name, calls):
    """It may create variables, such as those of a metric at its first update."""

    def own(self, *args, **kwargs):
        return getattr(keras.Model, name)(self, *args, **kwargs)

    inputs = keras.Input((4,))
    model = type("Own", (keras.Model,), {name: own})(inputs, layers.Dense(3)(inputs))
    model.compile("adam", "mse", metrics=["mae"])
    build_state(model, (X, ONE_HOT))
    assert calls


def compiled(units, options):
    """Return a model whose losses and metrics are copies: both keep state."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    hidden = layers.BatchNormalization(name="normalized")(layers.Dense(5, name="hidden")(inputs))
    outputs = layers.Dense(units, "softmax" if units > 1 else "sigmoid", name="last")(hidden)
    model = keras.Model(inputs, outputs)
    model.compile("adam", **keras.tree.map_structure(copy_of, options))
    return model


def copy_of(part):
    if isinstance(part, metrics.Metric | losses.Loss):
        return type(part).from_config(part.get_config())
    return part
