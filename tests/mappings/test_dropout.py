"""Course 5.6: inverted dropout by keep_prob is Keras's Dropout(1 - keep_prob)."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcourse.models.build import mlp

A = np.random.default_rng(0).uniform(1, 2, (500, 200)).astype("float32")


def dropout(keep_prob):
    return keras.layers.Dropout(1 - keep_prob, seed=0)


@pytest.mark.parametrize("keep_prob", [0.5, 0.8, 0.95, 1.0])
def test_what_is_kept_is_divided_by_keep_prob(keep_prob):
    """Erratum E8: ``a3 /= keep_prob``."""
    dropped = dropout(keep_prob)(A, training=True).numpy()
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], A[kept] / keep_prob, rtol=1e-6)
    spread = np.sqrt(keep_prob * (1 - keep_prob) / A.size)
    assert np.mean(kept) == pytest.approx(keep_prob, abs=4 * spread)
    # Which is why no scaling is needed at test time: the mean is that of A.
    assert dropped.mean() == pytest.approx(A.mean(), abs=8 * spread / keep_prob)


def test_every_unit_and_example_is_drawn_on_its_own_and_anew_each_time():
    layer = dropout(0.8)
    first, second = (layer(A, training=True).numpy() != 0 for _ in range(2))
    # Kept in both: 0.8² of them, as by independent draws.
    assert np.mean(first & second) == pytest.approx(0.64, abs=0.01)
    for axis, size in ((0, 500), (1, 200)):
        assert first.mean(axis).std() == pytest.approx(np.sqrt(0.16 / size), rel=0.2)


def test_it_is_off_at_test_time():
    layer = dropout(0.8)
    model = keras.Sequential([keras.Input((200,)), layer])
    np.testing.assert_array_equal(layer(A, training=False), A)
    np.testing.assert_array_equal(layer(A), A)
    np.testing.assert_array_equal(model.predict(A, verbose=0), A)


def test_keep_prob_of_an_mlp():
    model = mlp((4,), 3, layers=2, dropout=1 - 0.8)
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [1 - 0.8] * 2


def test_the_gradient_goes_through_the_same_units():
    """``dA = dA * D / keep_prob`` with the D of the forward pass."""
    a, upstream = tf.constant(A), np.random.default_rng(1).normal(size=A.shape).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(a)
        dropped = dropout(0.8)(a, training=True)
    gradient = tape.gradient(dropped, a, output_gradients=tf.constant(upstream))
    np.testing.assert_allclose(gradient, upstream * (dropped.numpy() != 0) / 0.8, rtol=1e-6)
