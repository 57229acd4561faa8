"""Course 5.13: mini-batch gradient descent, from one example a step to the whole set."""

import keras
import numpy as np
import pytest

import tfcourse

EXAMPLES, ALPHA = 150, 0.1


def descend(x, y, w, b, batch_size, epochs):
    """One step a mini-batch, the last one smaller: w and b at the end, and how many steps."""
    steps = 0
    for _ in range(epochs):
        for begin in range(0, len(x), batch_size):
            some, wanted = x[begin : begin + batch_size], y[begin : begin + batch_size]
            dz = 2 * (some @ w + b - wanted) / len(some)
            w, b = w - ALPHA * some.T @ dz, b - ALPHA * dz.sum(0)
            steps += 1
    return w, b, steps


@pytest.mark.parametrize("run", [keras.Model.fit, tfcourse.fit], ids=["Keras", "tfcourse"])
def test_no_batch_size_is_32(run, rng):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    run(model, rng.normal(size=(33, 4)), rng.normal(size=(33, 1)), epochs=1, verbose=0)
    assert int(model.optimizer.iterations) == 2


@pytest.mark.parametrize("run", [keras.Model.fit, tfcourse.fit], ids=["Keras", "tfcourse"])
@pytest.mark.parametrize("batch_size", [1, 64, EXAMPLES, 512])
def test_a_batch_size(run, batch_size, rng):
    x, y = rng.normal(size=(EXAMPLES, 4)), rng.normal(size=(EXAMPLES, 1))
    layer = keras.layers.Dense(1, dtype="float64")
    model = keras.Sequential([keras.Input((4,), dtype="float64"), layer])
    model.compile(keras.optimizers.SGD(ALPHA), "mse")
    *expected, steps = descend(x, y, *model.get_weights(), batch_size, epochs=2)
    run(model, x, y, batch_size=batch_size, epochs=2, shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == steps == 2 * -(-EXAMPLES // batch_size)
    for actual, wanted in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-6, atol=1e-8)  # α is kept in float32
