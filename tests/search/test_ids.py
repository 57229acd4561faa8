"""Ids beyond an ``Embedding`` in a search's data, and TensorFlow's reasons in its record."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfcourse
from tfcourse import InputError

IDS = np.arange(90).reshape(30, 3) % 10
Y = np.arange(30) % 2


def words(input_shape, classes):
    head = [keras.layers.Flatten(), keras.layers.Dense(classes, activation="softmax")]
    return keras.Sequential([keras.Input(input_shape), keras.layers.Embedding(10, 2), *head])


@keras.saving.register_keras_serializable()
def rows(x):
    return tf.gather(tf.range(4.0), tf.cast(x, "int32"))


def failing(input_shape, classes):
    """Looks up rows of a table that it doesn't have."""
    head = keras.layers.Dense(classes, activation="softmax")
    return keras.Sequential([keras.Input(input_shape), keras.layers.Activation(rows), head])


def search(build, folder, **parts):
    space = {"learning_rate": {"low": 0.01, "high": 0.1}}
    return tfcourse.Search(space=space, build=build, **parts, trials=1, epochs=1, out=folder)


@pytest.mark.parametrize("wrong", ["train", "dev", "test"])
def test_a_bad_id_is_found_before_the_first_trial(wrong, tmp_path):
    sets = {name: (IDS.copy(), Y) for name in ("train", "dev", "test")}
    sets[wrong][0][4, 1] = 11
    message = rf'\[model\] x of the {wrong} set holds the id 11 in row 4, but layer "embedding'
    with pytest.raises(InputError, match=message):
        search(words, tmp_path, **sets).run(verbose=False)
    assert not list(tmp_path.rglob("results.csv"))


def test_the_record_keeps_the_reason_of_tensorflow(tmp_path):
    with pytest.raises(tfcourse.WorkFailedError, match=r"InvalidArgumentError: .*indices\["):
        search(failing, tmp_path, data=(IDS, Y)).run(verbose=False)
