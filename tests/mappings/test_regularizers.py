"""Course 5.5: Keras's L1 and L2 with the course's λ, in the cost and in the gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfcourse

LAMBDA, EXAMPLES, ALPHA = 0.7, 40, 0.25
# Keras rounds a factor to float32, also for float64 weights.
ROUNDED = 1e-7

# The course's term of one weight matrix, and what it adds to dW.
TERMS = {
    "L2": (
        keras.regularizers.L2(tfcourse.l2_factor(LAMBDA, examples=EXAMPLES)),
        lambda w: LAMBDA / (2 * EXAMPLES) * np.sum(w**2),
        lambda w: LAMBDA / EXAMPLES * w,
    ),
    "L1": (
        keras.regularizers.L1(tfcourse.l1_factor(LAMBDA, examples=EXAMPLES)),
        lambda w: LAMBDA / EXAMPLES * np.sum(np.abs(w)),
        lambda w: LAMBDA / EXAMPLES * np.sign(w),
    ),
}


@pytest.mark.parametrize("name", TERMS)
def test_the_term_and_what_it_adds_to_the_gradient(name, rng):
    regularizer, term, slope = TERMS[name]
    w = rng.normal(size=(6, 4))
    variable = tf.Variable(w)
    with tf.GradientTape() as tape:
        penalty = regularizer(variable)
    np.testing.assert_allclose(penalty, term(w), rtol=ROUNDED)
    np.testing.assert_allclose(tape.gradient(penalty, variable), slope(w), rtol=ROUNDED)


@pytest.fixture
def data(rng):
    return rng.normal(size=(EXAMPLES, 6)), rng.normal(size=(EXAMPLES, 2))


def two_layers(regularizer):
    """Linear, so that its gradients are short; in float32, in which Keras keeps a total loss."""
    layers = [keras.layers.Dense(units, kernel_regularizer=regularizer) for units in (4, 2)]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(keras.optimizers.SGD(ALPHA), "mse")
    return model


def cost_and_gradients(x, y, w1, b1, w2, b2):
    """Of the mean squared error, over examples and outputs."""
    a1 = x @ w1 + b1
    dz2 = 2 * (a1 @ w2 + b2 - y) / y.size
    dz1 = dz2 @ w2.T
    cost = np.mean((a1 @ w2 + b2 - y) ** 2)
    return cost, [x.T @ dz1, dz1.sum(0), a1.T @ dz2, dz2.sum(0)]


@pytest.mark.parametrize("name", TERMS)
def test_a_step_of_training_and_the_cost(name, data):
    regularizer, term, slope = TERMS[name]
    model = two_layers(regularizer)
    before = [w.astype("float64") for w in model.get_weights()]
    w1, _, w2, _ = before
    cost, gradients = cost_and_gradients(*data, *before)
    gradients[0] += slope(w1)  # the biases have no term
    gradients[2] += slope(w2)
    reported = model.evaluate(*data, batch_size=EXAMPLES, verbose=0)
    assert reported == pytest.approx(cost + term(w1) + term(w2), rel=1e-5)
    model.fit(*data, batch_size=EXAMPLES, epochs=1, verbose=0)
    expected = [w - ALPHA * dw for w, dw in zip(before, gradients, strict=True)]
    for after, wanted in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(after, wanted, rtol=1e-5, atol=1e-6)


def test_the_mini_batches_of_an_epoch_add_the_term_each(data):
    """With m that of the whole set: a step shrinks W by αλ/m, whatever the mini-batch's size."""
    x, y = data[0] * 0, data[1] * 0  # no gradient but the term's
    model = two_layers(TERMS["L2"][0])
    before = model.get_weights()[2]
    model.fit(x, y, batch_size=16, epochs=1, verbose=0)  # 16, 16 and 8 examples
    # The output is 0 from the biases' start, so that only the term moves W.
    after = before * (1 - ALPHA * LAMBDA / EXAMPLES) ** 3
    np.testing.assert_allclose(model.get_weights()[2], after, rtol=1e-5)


def test_l1_makes_weights_sparse_and_l2_does_not():
    """The smallest ``½(w-t)² + term``: t drawn in by λ/m, down to 0, and t/(1 + λ/m)."""
    target, rate = np.linspace(-0.06, 0.06, 20), LAMBDA / EXAMPLES
    wanted = {
        "L1": np.sign(target) * np.maximum(np.abs(target) - rate, 0),
        "L2": target / (1 + rate),
    }
    assert [np.sum(wanted[name] == 0) for name in ("L1", "L2")] == [6, 0]
    for name, expected in wanted.items():
        w = tf.Variable(target)
        for _ in range(200):
            with tf.GradientTape() as tape:
                cost = tf.reduce_sum((w - target) ** 2) / 2 + TERMS[name][0](w)
            w.assign_sub(0.05 * tape.gradient(cost, w))
        # Under L1, gradient descent goes to and fro across 0 in steps of αλ/m.
        np.testing.assert_allclose(w, expected, atol=0.05 * rate * 1.01)
