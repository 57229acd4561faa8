"""Each update, 100 steps on a random quadratic cost, against float64 NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import averages
from tests.reference import updates as reference
from tfcourse.formulas import updates

STEPS = 100
ALPHA, BETA_1, BETA_2, RHO, EPSILON = 0.05, 0.9, 0.999, 0.95, 1e-8

# The formula with its decays as complements; the slots it keeps; the reference's hyperparameters.
CASES = {
    "gradient_descent": ({}, 0, {}),
    "momentum": ({"one_minus_momentum": 1 - BETA_1}, 1, {"momentum": BETA_1}),
    "rmsprop": (
        {"one_minus_rho": 1 - RHO, "epsilon": EPSILON},
        1,
        {"rho": RHO, "epsilon": EPSILON},
    ),
    "adam": (
        {"one_minus_beta_1": 1 - BETA_1, "one_minus_beta_2": 1 - BETA_2, "epsilon": EPSILON},
        2,
        {"beta_1": BETA_1, "beta_2": BETA_2, "epsilon": EPSILON},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_hundred_steps(name, compiled, dtype):
    ours, slots, theirs = CASES[name]
    bowl = reference.Bowl()

    def update(dw, corrections, *state):
        extra = corrections if name == "adam" else {}
        return getattr(updates, name)(dw, *state, learning_rate=ALPHA, **ours, **extra)

    step = compiled(update)
    w, state, path = bowl.start, slots * [tf.zeros(5, dtype)], [bowl.start]
    for t in range(1, STEPS + 1):
        corrections = {
            f"correction_{i}": tf.constant(averages.bias_correction(beta, t), dtype)
            for i, beta in ((1, BETA_1), (2, BETA_2))
        }
        change = step(tf.constant(bowl.gradient(w), dtype), corrections, *state)
        change, *state = change if slots else [change]
        assert change.dtype == dtype
        w = w - change.numpy()
        path.append(w)

    hyperparameters = STEPS * [{"learning_rate": ALPHA, **theirs}]
    expected = reference.descend(
        getattr(reference, name), bowl.gradient, bowl.start, hyperparameters
    )
    tolerance = {"float32": 3e-5, "float64": 1e-11}[dtype]
    np.testing.assert_allclose(path, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["rmsprop", "adam"])
def test_a_gradient_that_was_always_zero_takes_no_step(name):
    """Erratum E6: without ε it would be 0/0."""
    ours, slots, _ = CASES[name]
    extra = {"correction_1": 0.1, "correction_2": 0.001} if name == "adam" else {}
    zeros = (1 + slots) * [tf.zeros(3)]
    change, *_ = getattr(updates, name)(*zeros, learning_rate=ALPHA, **ours, **extra)
    np.testing.assert_array_equal(change, 0)
