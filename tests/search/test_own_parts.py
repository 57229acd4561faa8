"""Losses and metrics of one's own in a search, beside ``model.fit`` and NumPy."""

import re

import keras
import numpy as np
import pytest

import tfcourse
from tests.search.beside_keras import trained_by_keras
from tests.search.test_config import errors_of
from tfcourse.errors import InputError
from tfcourse.search.config.metrics import targets_of_loss
from tfcourse.search.config.parts import part_name
from tfcourse.search.data.loading import load_split


class Within(keras.metrics.Metric):
    """The share of predictions within a tolerance, without a ``get_config`` of its own."""

    def __init__(self, tolerance):
        super().__init__(name="within")
        self.tolerance = tolerance
        self.right = self.add_variable((), "zeros", name="right")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        right = keras.ops.cast(keras.ops.abs(y_true - y_pred) < self.tolerance, "float32")
        self.right.assign_add(keras.ops.sum(right))
        self.count.assign_add(keras.ops.sum(keras.ops.ones_like(right)))

    def result(self):
        return keras.ops.divide_no_nan(self.right, self.count)


def test_objects_give_the_numbers_of_model_fit(regression, caplog):
    """A lambda and a metric with state and an argument, which Keras can't load again."""
    parts = {
        "loss": lambda y_true, y_pred: keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1),
        "targets": "numbers",
        "metrics": [Within(1.5), "mae"],
        "objective": "val_within",
        "direction": "max",
    }
    search = regression(**parts)
    result = search.run(verbose=False)
    split = load_split(search.config)
    assert len([*trained_by_keras(search, result)]) == 2
    best = result.best_model()
    errors = np.abs(best.predict(split.test.x, verbose=0) - split.test.y)
    assert result.summary.test["within"] == pytest.approx(np.mean(errors < 1.5))
    assert result.summary.test["loss"] == pytest.approx(np.mean(errors**3), rel=1e-5)
    measured = best.evaluate(split.test.x, split.test.y, verbose=0, return_dict=True)
    assert measured == pytest.approx(result.summary.test, rel=1e-5)
    record = tfcourse.Search.read_result(result.directory)
    assert not record.best_model().compiled  # where the objects are not
    assert "is not compiled: " in caplog.text
    plain = keras.models.load_model(result.directory / "best.keras")
    assert not plain.compiled
    np.testing.assert_array_equal(
        plain.predict(split.test.x, verbose=0), best.predict(split.test.x, verbose=0)
    )


def test_arguments_that_keras_leaves_out_of_its_files(regression):
    """Keras loads Huber(0.25) as Huber(1.0): also with the scaling in front it stays what it is."""
    search = regression(loss=keras.losses.Huber(0.25), normalize="standardize", trials=1)
    result = search.run(verbose=False)
    assert search.config.targets == "numbers"
    test = load_split(search.config).test
    errors = np.abs(result.best_model().predict(test.x, verbose=0) - test.y)
    huber = np.where(errors <= 0.25, errors**2 / 2, 0.25 * errors - 0.25**2 / 2)
    assert result.summary.test["loss"] == pytest.approx(huber.mean(), rel=1e-5)
    assert regression(loss=keras.losses.Huber(0.25), normalize="standardize", trials=1).completed()
    with pytest.raises(InputError, match=r"training\.loss is '.*Huber\(delta=0\.25\)' there and"):
        regression(loss=keras.losses.Huber(2.0), normalize="standardize", trials=1).completed()


PARTS = """
cube = lambda y_true, y_pred: keras.ops.mean((y_true - y_pred) ** 4, axis=-1)
top_2 = keras.metrics.SparseTopKCategoricalAccuracy(2)

class Sureness(keras.metrics.Mean):
    def __init__(self):
        super().__init__(name="another")

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(keras.ops.max(y_pred, axis=-1))
"""


def test_names_of_a_module(quick):
    """An instance and a class without an argument ``name`` have the config's name in the history;
    with targets of its own, a loss is the squared error of the one-hot rows."""
    search = quick(
        PARTS,
        search={"objective": "val_Sureness", "direction": "max", "trials": 1},
        training={"metrics": ["SOURCE:top_2", "SOURCE:Sureness"]},
    )
    result = search.run(verbose=False)
    assert set(result.summary.test) == {"loss", "top_2", "Sureness"}
    predictions = result.best_model().predict(load_split(search.config).dev.x, verbose=0)
    assert result.best.score == pytest.approx(predictions.max(axis=1).mean(), rel=1e-5)

    search = quick(
        PARTS,
        search={"trials": 1, "name": "rows"},
        training={"loss": "SOURCE:cube", "targets": "one_hot"},
    )
    result, test = search.run(verbose=False), load_split(search.config).test
    assert test.y.shape == (12, 3)
    differences = result.best_model().predict(test.x, verbose=0) - test.y
    assert result.summary.test["loss"] == pytest.approx(np.mean(differences**4), rel=1e-5)


def cube(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)


def test_objects_that_another_process_can_import_are_named(regression):
    config = regression(
        loss=cube, targets="numbers", metrics=[keras.metrics.MeanSquaredError], trials=1
    ).config
    assert config.training.loss == "tests.search.test_own_parts:cube"
    assert dict(config.objects) == {}
    two = [lambda y_true, y_pred: y_true - y_pred, lambda y_true, y_pred: y_true + y_pred]
    config = regression(loss="mse", metrics=two, trials=1).config
    assert [*config.objects.values()] == two
    assert [*config.objects] == [*config.training.metrics]


def test_targets_of_classes_and_instances_of_keras():
    names = ["MeanSquaredError", "keras.losses:Huber", part_name(keras.losses.Huber(2.0))]
    assert {targets_of_loss(name) for name in names} == {"numbers"}
    assert targets_of_loss("BinaryCrossentropy") == "binary"
    assert [targets_of_loss(name) for name in ("mine:mse", "dice", 3)] == [None, None, None]


ERRORS = {
    "unknown targets": (
        "[training]\nloss = 'dice'",
        r'\[training\] loss "dice": what it takes is not known\. Set targets to "labels" .*',
    ),
    "no module": (
        "[training]\nloss = 'no_such_module:cube'\ntargets = 'numbers'",
        r'\[training\] loss: the module "no_such_module" can\'t be imported .*',
    ),
    "one argument": (
        "[training]\nloss = 'math:factorial'\ntargets = 'numbers'",
        r'\[training\] loss: "math:factorial" must take \(y_true, y_pred\)\. Received: .*',
    ),
    "a class with arguments": (
        "[training]\nmetrics = ['MeanIoU']",
        r'\[training\] metrics: "MeanIoU" can\'t be made without arguments \(.*num_classes.*',
    ),
    "targets": (
        "[training]\ntargets = 'rows'",
        r'\[training\] targets must be one of "labels", "one_hot", .*',
    ),
}


@pytest.mark.parametrize(("fragment", "said"), ERRORS.values(), ids=ERRORS)
def test_an_error_of_a_name(fragment, said, tmp_path):
    first, *_ = errors_of(fragment + "\n[space.units]\nlow = 4\nhigh = 8\n", tmp_path)
    assert re.fullmatch(said, first), first


class Unmade(keras.metrics.Mean):
    def __init__(self, name):
        super().__init__(name=name)
        raise ValueError("no shape")


def test_the_error_of_a_metric_that_can_not_be_made(regression):
    said = r'Search: metrics: ".*:Unmade" can\'t be made .*ValueError: no shape\)\.'
    with pytest.raises(InputError, match=said):
        regression(metrics=[Unmade], loss="mse")


WRONG = {
    "another axis": (
        {"loss": lambda y_true, y_pred: keras.ops.mean(y_true - y_pred, axis=0)},
        r'loss: "tests.*:<lambda>" must give a number for each example, .*shape \(1,\) for y_true '
        r"of shape \(7, 1\) and y_pred of shape \(7, 1\)\. Average over the last axis",
    ),
    "an error": (
        {"loss": lambda y_true, y_pred: y_true @ y_pred @ y_pred},
        r'loss: "tests.*:<lambda>" failed for y_true of shape .*: InvalidArgumentError',
    ),
    "logits that are none": (
        {
            "loss": keras.losses.BinaryCrossentropy(from_logits=True),
            "arguments": {"output": "sigmoid"},
        },
        r'builder "mlp" and the loss must fit: \[output_and_loss\] .* from_logits=True and takes',
    ),
    "a metric of rows": (
        {"loss": "mse", "metrics": [keras.metrics.R2Score(class_aggregation=None)]},
        r'metrics: ".*R2Score\(class_aggregation=None\):r2_score" must give one number\. Received: '
        r"shape \(1,\)",
    ),
}


@pytest.mark.parametrize(("settings", "said"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_refused_before_the_first_trial(settings, said, regression):
    search = regression(targets="numbers", **{"metrics": ["mae"], **settings})
    with pytest.raises(InputError, match=said):
        search.run(verbose=False)
    assert not search.directory.exists()
