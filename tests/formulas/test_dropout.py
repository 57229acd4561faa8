"""Inverted dropout against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tfcourse.formulas.dropout import inverted_dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(6, 4), (1, 4), (6, 1)])
def test_what_is_left_is_scaled(rng, compiled, dtype, close, rate, shape):
    a, uniform = rng.normal(size=(6, 4)).astype(dtype), rng.random(shape).astype(dtype)
    actual = compiled(lambda a, u: inverted_dropout(a, u, rate))(tf.constant(a), uniform)
    close(actual, np.where(uniform >= rate, a / (1 - rate), 0))


def test_the_expected_activation_is_kept(rng):
    uniform = rng.random((200_000, 1)).astype(np.float32)
    dropped = inverted_dropout(tf.ones((200_000, 1)), uniform, 0.3)
    assert np.mean(dropped) == pytest.approx(1, abs=0.01)


def test_a_number_equal_to_the_rate_survives(compiled, dtype, close):
    uniform = tf.constant([0.0, 0.25, 0.5], dtype)
    close(
        compiled(lambda u: inverted_dropout(tf.ones(3, dtype), u, 0.25))(uniform), [0, 4 / 3, 4 / 3]
    )
