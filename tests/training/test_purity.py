"""A callback that changes what a dataset gives is heeded by the next epoch, as in Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.data_forms import X, Y, rows
from tests.training.parity import assert_same, both_again, small
from tfcourse.training.data.purity import is_pure

FACTOR = tf.Variable(1.0)


def times_factor(x):
    return FACTOR * x


def times_factor_in_python(x):
    def times(array):
        return (FACTOR.numpy() * array).astype("float32")

    return tf.ensure_shape(tf.numpy_function(times, [x], tf.float32), x.shape)


@tf.function
def in_a_function(x):
    return tf.cond(tf.size(x) > 0, lambda: times_factor_in_python(x), lambda: x)


CHANGING = {
    "a variable": times_factor,
    "Python": times_factor_in_python,
    "Python, further inside": in_a_function,
}


def mapped(function):
    return rows(X, Y).map(lambda x, y: (function(x), y)).prefetch(2)


def through_a_variant(dataset):
    variant = tf.data.experimental.to_variant(dataset)
    return tf.data.experimental.from_variant(variant, dataset.element_spec)


def rows_for_each(number):
    dataset = rows(X)
    return tf.data.Dataset.range(number).flat_map(lambda _: dataset)


def double_the_factor(epoch, logs=None):
    FACTOR.assign(2.0 * FACTOR)


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end"])
@pytest.mark.parametrize("name", CHANGING)
def test_a_pipeline_that_a_callback_changes(name, hook):
    def data():
        FACTOR.assign(1.0)
        return (mapped(CHANGING[name]),)

    def change():
        return [keras.callbacks.LambdaCallback(**{hook: double_the_factor})]

    # A validation set as well: its epoch ends before the change.
    runs = both_again(
        small, data, callbacks=change, validation_data=lambda: mapped(CHANGING[name]), epochs=3
    )
    assert_same(runs)
    assert FACTOR.numpy() == 8


PURE = {
    "slices": lambda: rows(X, Y).shuffle(3).cache().prefetch(2).take(2),
    "a function": lambda: mapped(lambda x: tf.cast(x, "float64") + np.ones(6)),
    "random numbers": lambda: mapped(lambda x: x + tf.random.normal([6])),
    "several": lambda: tf.data.Dataset.zip(rows(X), rows(Y).concatenate(rows(Y))),
}
NOT_PURE = {
    **{name: lambda f=function: mapped(f) for name, function in CHANGING.items()},
    "one of several": lambda: rows(X, Y).concatenate(mapped(times_factor)),
    "a captured dataset": lambda: rows_for_each(2),
    "through a variant": lambda: through_a_variant(rows(X, Y)),
    "not TensorFlow's": lambda: iter(rows(X, Y)),
}


@pytest.mark.parametrize("name", [*PURE, *NOT_PURE])
def test_is_pure(name):
    """Only such a dataset is read ahead over the end of an epoch."""
    assert is_pure({**PURE, **NOT_PURE}[name]()) == (name in PURE)
