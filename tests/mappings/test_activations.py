"""Course 5.2: Keras's activations and their derivatives are the course's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

Z = np.linspace(-4.05, 4.05, 40).reshape(8, 5)  # 0, where a ReLU has no derivative, left out


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# Keras's activation, a = g(z), and g'(z) as the course writes it.
ACTIVATIONS = {
    "sigmoid": ("sigmoid", sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": ("tanh", np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": ("relu", lambda z: np.maximum(0, z), lambda z: np.where(z > 0, 1, 0)),
    "leaky relu": (
        keras.layers.LeakyReLU(negative_slope=0.01, dtype="float64"),
        lambda z: np.maximum(0.01 * z, z),
        lambda z: np.where(z > 0, 1, 0.01),
    ),
}


def value_and_slope(function, z):
    """Of an element-wise function, by automatic differentiation."""
    z = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        a = function(z)
    return a.numpy(), tape.gradient(a, z).numpy()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_and_its_derivative(name):
    theirs, formula, derivative = ACTIVATIONS[name]
    a, slope = value_and_slope(keras.activations.get(theirs), Z)
    # TensorFlow keeps the slope of a leaky ReLU in float32, also among float64 values.
    tolerance = 1e-7 if name == "leaky relu" else 1e-13
    np.testing.assert_allclose(a, formula(Z), rtol=tolerance, atol=1e-15)
    np.testing.assert_allclose(slope, derivative(Z), rtol=tolerance, atol=1e-15)


def test_keras_has_other_slopes_of_leaky_relu_than_the_course():
    assert keras.layers.LeakyReLU().negative_slope == 0.3
    assert float(keras.activations.leaky_relu(tf.constant(-1.0))) == pytest.approx(-0.2)


def test_prelu_learns_the_slope_of_leaky_relu(rng):
    layer = keras.layers.PReLU(dtype="float64")
    layer.build(Z.shape)
    assert not layer.alpha.numpy().any()  # it begins as a ReLU
    slope = rng.uniform(0.01, 0.5, Z.shape[1])
    layer.alpha.assign(slope)
    z, upstream = tf.constant(Z), rng.normal(size=Z.shape)
    with tf.GradientTape() as tape:
        tape.watch(z)
        a = layer(z)
        cost = tf.reduce_sum(upstream * a)
    dz, dslope = tape.gradient(cost, [z, layer.alpha.value])
    np.testing.assert_allclose(a, np.maximum(0, Z) + slope * np.minimum(0, Z), rtol=1e-13)
    np.testing.assert_allclose(dz, upstream * np.where(Z > 0, 1, slope), rtol=1e-13)
    np.testing.assert_allclose(dslope, (upstream * np.minimum(0, Z)).sum(0), rtol=1e-12)


def test_softmax_and_its_derivative():
    """``∂a_i/∂z_j = a_i (δ_ij - a_j)``."""
    z = tf.constant(Z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        a = keras.activations.softmax(z)
    t = np.exp(Z)
    expected = t / t.sum(1, keepdims=True)
    np.testing.assert_allclose(a, expected, rtol=1e-13)
    jacobian = expected[:, :, None] * (np.eye(5) - expected[:, None, :])
    np.testing.assert_allclose(tape.batch_jacobian(a, z), jacobian, rtol=1e-12, atol=1e-15)
