"""Copies of a model's state and resets of its metrics: as Keras's, in fewer operations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcourse.training.programs.building import build_state
from tfcourse.training.programs.model_programs import metrics_reset, state_copier
from tfcourse.training.programs.state import state_variables, values_of


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    result = keras.Sequential([keras.Input([3]), keras.layers.Dense(2, "softmax")])
    result.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    build_state(result, (keras.KerasTensor([4, 3]), keras.KerasTensor([4], "int32")))
    return result


def dirty(model):
    for variable in model.metrics_variables:
        variable.assign(variable + 3)
    return model.metrics_variables


def test_a_copy_has_every_variable_in_its_own_type(model):
    variables, copy = state_variables(model), state_copier(model).copy()
    assert {t.dtype for t in copy} >= {tf.float32, tf.int64}
    for variable, tensor in zip(variables, copy, strict=True):
        np.testing.assert_array_equal(tensor.numpy(), variable.numpy(), err_msg=variable.path)


def test_a_copy_outlasts_every_way_to_change_a_variable():
    """Sparse updates are made in place, unless someone else has the value."""
    variable = keras.Variable([1.0, 2.0, 3.0])
    row = tf.IndexedSlices([9.0], [0])
    changes = [
        variable.value.scatter_update,  # from the first on, TensorFlow copies for readers
        variable.value.scatter_add,
        lambda _: variable.assign([5.0, 5.0, 5.0]),
        lambda _: variable.value.assign_add([5.0, 5.0, 5.0]),
        variable.value.scatter_update,
    ]
    for change in changes:
        before, (copy,) = variable.numpy().copy(), values_of([variable])
        change(row)
        assert (variable.numpy() != before).any()
        np.testing.assert_array_equal(copy.numpy(), before)


def test_the_reset_of_a_first_training_serves_the_later_ones(model, monkeypatch):
    metrics_reset(model)()
    monkeypatch.setattr(keras.Model, "reset_metrics", lambda _: pytest.fail("it was called"))
    variables, again = dirty(model), metrics_reset(model)
    again()
    assert [float(v) for v in variables] == [0.0] * 4


@pytest.mark.parametrize("owner", ["model", "metric", "one metric"])
def test_a_reset_of_ones_own_between_two_trainings_is_used(model, monkeypatch, owner):
    metrics_reset(model)()
    if owner == "model":
        own = type("Own", (keras.Sequential,), {"reset_metrics": lambda self: calls.append(1)})
        monkeypatch.setattr(model, "__class__", own)
    elif owner == "one metric":
        monkeypatch.setattr(model.metrics[0], "reset_state", lambda: calls.append(1))
    else:
        monkeypatch.setattr(keras.metrics.Mean, "reset_state", lambda self: calls.append(1))
    calls = []
    metrics_reset(model)()
    assert calls


def test_another_variable_of_a_metric_between_two_trainings_is_reset(model):
    metrics_reset(model)()
    metric = model.metrics[0]
    metric.total = metric.add_variable((), "ones", name="another")
    metrics_reset(model)()
    assert float(metric.total) == 0.0


def test_a_new_compile_has_a_reset_of_its_own(model):
    first = metrics_reset(model)
    assert metrics_reset(model) is first
    model.compile("adam", "sparse_categorical_crossentropy")
    assert metrics_reset(model) is not first
