"""The rule that chooses XLA: fixed answers, so that a run repeats."""

import keras
import pytest
import tensorflow as tf

from tfcourse.training.programs.jit import choose_jit

layers = keras.layers


def dense(units):
    return keras.Sequential([keras.Input((64,)), layers.Dense(units), layers.Dense(10)])


def recurrent():
    return keras.Sequential([keras.Input((32, 8)), layers.LSTM(32), layers.Dense(10)])


def convolutional():
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten()])


# 0.4 ms + 6·5 000·64·1e-8 ms = 0.42 ms a step: 2 s are reached at about 4 800 steps.
@pytest.mark.parametrize(
    ("model", "shape", "steps", "chosen"),
    [
        (dense(64), (1000, 64), 170, False),
        (dense(64), (1000, 64), 4_000, False),
        (dense(64), (1000, 64), 5_500, True),
        (dense(4096), (1000, 64), 1_500, True),
        (recurrent(), (1000, 32, 8), 1_000, False),
        (recurrent(), (1000, 32, 8), 2_500, True),
        (convolutional(), (1000, 8, 8, 1), 10**9, False),
    ],
)
def test_choice(model, shape, steps, chosen):
    assert choose_jit(model, tf.zeros(shape), 64, steps) is chosen


def test_a_convolution_inside_another_model_counts():
    nested = keras.Sequential([keras.Input((8, 8, 1)), convolutional(), layers.Dense(3)])
    assert choose_jit(nested, tf.zeros((9, 8, 8, 1)), 64, 10**9) is False
