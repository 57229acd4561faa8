import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import normalization as reference
from tests.reference.gradients import numerical_gradient, second_derivative
from tfcourse.formulas.normalization import (
    batch_moments,
    masked_moments,
    moments,
    normalize,
    normalize_for_inference,
    scale_and_shift,
    synchronized_moments,
)


def batch_norm(z, gamma=None, beta=None, epsilon=1e-3):
    mean, variance = moments(z, list(range(len(z.shape) - 1)))
    return normalize(z, mean, variance, gamma, beta, epsilon)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((8, 3), [0]), ((4, 5, 3), [0, 1]), ((2, 3, 4, 5), [0, 2, 3]), ((1, 3), [0]), ((8, 1), [0])],
)
def test_moments(rng, compiled, dtype, close, shape, axes):
    z = rng.normal(2, 3, shape).astype(dtype)
    mean, variance = compiled(lambda z: moments(z, axes))(tf.constant(z))
    expected = reference.moments(z, tuple(axes))
    close(mean, expected[0])
    close(variance, expected[1])


def test_masked_moments(rng, compiled, dtype, close):
    z = rng.normal(2, 3, (4, 5, 3)).astype(dtype)
    mask = rng.random((4, 5, 1)) < 0.6
    z_hidden = np.where(mask, z, 1e6).astype(dtype)  # what the mask hides must not matter
    masked = compiled(lambda z, mask: masked_moments(z, mask, [0, 1]))
    expected = reference.moments(z, (0, 1), mask)
    for actual, wanted in zip(masked(tf.constant(z_hidden), mask), expected, strict=True):
        close(actual, wanted)


@pytest.mark.parametrize("axes", [[0], [1], [0, 2]])
def test_masked_moments_over_other_axes(rng, compiled, dtype, close, axes):
    z = rng.normal(2, 3, (4, 5, 1)).astype(dtype)
    mask = rng.random((4, 5, 1)) < 0.6
    mask[:, 0], mask[:, 4], mask[0] = False, True, True  # one that counts, and all of them
    masked = compiled(lambda z, mask: masked_moments(z, mask, axes))
    expected = reference.moments(z, tuple(axes), mask)
    for actual, wanted in zip(masked(tf.constant(z), mask), expected, strict=True):
        assert actual.shape == wanted.shape
        close(actual, wanted)


def test_masked_moments_of_nothing_are_zero(compiled, dtype, close):
    masked = compiled(lambda z, mask: masked_moments(z, mask, [0]))
    for actual in masked(tf.ones((4, 3), dtype), np.zeros((4, 1), bool)):
        close(actual, np.zeros(3))


@pytest.mark.parametrize("shape", [(8, 3), (4, 5, 3)])
@pytest.mark.parametrize("parameters", ["both", "gamma", "beta", "none"])
def test_normalize(rng, compiled, dtype, close, shape, parameters):
    z = rng.normal(2, 3, shape).astype(dtype)
    gamma = rng.normal(size=3).astype(dtype) if parameters in ("both", "gamma") else None
    beta = rng.normal(size=3).astype(dtype) if parameters in ("both", "beta") else None
    actual = compiled(lambda z: batch_norm(z, gamma, beta))(tf.constant(z))
    expected = reference.batch_norm(
        z, 1.0 if gamma is None else gamma, 0.0 if beta is None else beta
    )
    close(actual, expected)


@pytest.mark.parametrize("form", [normalize, normalize_for_inference])
@pytest.mark.parametrize("axis", [-1, 1, 0, -2])
def test_normalize_along_an_axis(rng, compiled, dtype, close, form, axis):
    z, gamma, beta = (rng.normal(2, 3, s).astype(dtype) for s in ((4, 4, 4), 4, 4))
    mean, variance = rng.normal(size=4).astype(dtype), rng.uniform(1, 2, 4).astype(dtype)
    actual = compiled(lambda z: form(z, mean, variance, gamma, beta, 1e-3, axis))(tf.constant(z))
    last = np.moveaxis(z.astype(np.float64), axis, -1)
    expected = gamma * (last - mean) / np.sqrt(variance.astype(np.float64) + 1e-3) + beta
    close(actual, np.moveaxis(expected, -1, axis), atol=1e-4 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("parameters", ["both", "gamma", "beta", "none"])
def test_for_inference_it_is_an_affine_map(rng, compiled, dtype, close, parameters):
    z, mean = (rng.normal(2, 3, s).astype(dtype) for s in ((8, 3), 3))
    variance = rng.uniform(1, 2, 3).astype(dtype)
    gamma = rng.normal(size=3).astype(dtype) if parameters in ("both", "gamma") else None
    beta = rng.normal(size=3).astype(dtype) if parameters in ("both", "beta") else None
    arguments = (mean, variance, gamma, beta, 1e-3)
    scale, shift = compiled(lambda: scale_and_shift(*arguments))()
    expected = (z - mean) / np.sqrt(variance.astype(np.float64) + 1e-3)
    expected = expected * (1 if gamma is None else gamma) + (0 if beta is None else beta)
    close(z * np.asarray(scale) + np.asarray(shift), expected)
    close(compiled(lambda z: normalize_for_inference(z, *arguments))(tf.constant(z)), expected)


@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_the_moments_of_each_feature_of_a_batch(rng, compiled, dtype, close, axis):
    z = rng.normal(2, 3, (4, 5, 3)).astype(dtype)
    axes = tuple(a for a in range(3) if a != axis % 3)
    expected = reference.moments(z, axes)
    for synchronized in (False, True):  # The same where there is only one replica.
        actual = compiled(lambda z, s=synchronized: batch_moments(z, axis, None, s))
        for one, two in zip(actual(tf.constant(z)), expected, strict=True):
            close(one, two)


class Replicas:
    """The context of two replicas, each in a thread of its own: a sum waits for the other."""

    num_replicas_in_sync = 2

    def __init__(self):
        self.barrier, self.values = threading.Barrier(2, timeout=30), {}

    def all_reduce(self, operation, value):
        assert operation == tf.distribute.ReduceOp.SUM
        self.values[threading.get_ident()] = value
        self.barrier.wait()
        total = sum(self.values.values())
        self.barrier.wait()
        return total


@pytest.mark.parametrize("axes", [[0], [0, 1], [0, -1]])
def test_two_replicas_have_the_moments_of_all_examples(rng, monkeypatch, axes):
    z = rng.normal(2, 3, (7, 4, 3))
    replicas = Replicas()
    monkeypatch.setattr(tf.distribute, "get_replica_context", lambda: replicas)
    with ThreadPoolExecutor(2) as threads:
        parts = [tf.constant(z[:2]), tf.constant(z[2:])]
        results = list(threads.map(lambda part: synchronized_moments(part, axes), parts))
    expected = reference.moments(z, tuple(axes))
    for result in results:
        for actual, wanted in zip(result, expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-12)


def test_without_replicas_the_synchronized_moments_are_the_moments(rng):
    z = tf.constant(rng.normal(1000, 0.1, (64, 3)), tf.float32)
    for one, two in zip(synchronized_moments(z, [0]), moments(z, [0]), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_large_mean_costs_no_digits_of_the_variance(rng, compiled):
    z = rng.normal(1000, 0.1, (64, 3)).astype(np.float32)
    mean, variance = compiled(lambda z: moments(z, [0]))(tf.constant(z))
    expected_mean, expected_variance = reference.moments(z, (0,))
    np.testing.assert_allclose(mean, expected_mean, rtol=3e-7)
    np.testing.assert_allclose(variance, expected_variance, rtol=1e-4)
    actual = compiled(lambda z: batch_norm(z, epsilon=1e-6))(tf.constant(z))
    np.testing.assert_allclose(actual, reference.batch_norm(z, epsilon=1e-6), atol=3e-3)


def test_a_large_mean_costs_no_digits_of_the_output(rng, compiled):
    z = rng.normal(1000, 0.1, (64, 3)).astype(np.float32)
    mean, variance = (s.astype(np.float32) for s in reference.moments(z, (0,)))
    actual = compiled(lambda z: normalize(z, mean, variance, None, None, 1e-6))(tf.constant(z))
    expected = (z.astype(np.float64) - mean) / np.sqrt(variance.astype(np.float64) + 1e-6)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.fixture
def problem(rng):
    """z, γ, β and the weights that make a scalar of z̃."""
    return rng.normal(2, 3, (6, 3)), *rng.normal(size=(2, 3)), rng.normal(size=(6, 3))


def test_the_gradient_equals_the_numerical_one(problem, compiled):
    z, gamma, beta, weights = problem

    def gradients(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            cost = tf.reduce_sum(batch_norm(*inputs) * weights)
        return tape.gradient(cost, inputs)

    for i, actual in enumerate(compiled(gradients)(*map(tf.constant, (z, gamma, beta)))):

        def cost(x, i=i):
            inputs = [z, gamma, beta]
            inputs[i] = x
            return (reference.batch_norm(*inputs) * weights).sum()

        expected = numerical_gradient(cost, (z, gamma, beta)[i])
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-8)


def test_the_second_derivative_equals_the_numerical_one(rng, problem, compiled):
    z, gamma, beta, weights = problem
    direction = rng.normal(size=z.shape)

    def second(s):
        with tf.GradientTape() as outer:
            outer.watch(s)
            with tf.GradientTape() as inner:
                inner.watch(s)
                moved = tf.constant(z) + s * tf.constant(direction)
                cost = tf.reduce_sum(batch_norm(moved, gamma, beta) * weights)
            first = inner.gradient(cost, s)
        return outer.gradient(first, s)

    expected = second_derivative(
        lambda x: (reference.batch_norm(x, gamma, beta) * weights).sum(), z, direction
    )
    actual = compiled(second)(tf.zeros([], tf.float64))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_gamma_and_beta_can_undo_the_normalization(rng, compiled, dtype, close):
    """Course 2.3: γ = sqrt(σ²+ε), β = μ gives back z."""
    z = rng.normal(2, 3, (16, 4)).astype(dtype)
    mean, variance = reference.moments(z, (0,))
    gamma, beta = np.sqrt(variance + 1e-3).astype(dtype), mean.astype(dtype)
    close(compiled(lambda z: batch_norm(z, gamma, beta))(tf.constant(z)), z)


def test_a_bias_before_batch_norm_is_cancelled(rng, problem):
    """Course 2.4: adding a constant leaves z̃ unchanged, and the gradient of a bias is 0."""
    z, gamma, beta, weights = problem
    bias = tf.constant(rng.normal(size=3) * 10)
    z = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch([z, bias])
        shifted = batch_norm(z + bias, gamma, beta)
        cost = tf.reduce_sum(shifted * weights)
    by_z, by_bias = tape.gradient(cost, [z, bias])
    np.testing.assert_allclose(shifted, batch_norm(z, gamma, beta), atol=1e-12)
    np.testing.assert_allclose(by_bias, 0, atol=1e-13)
    assert np.abs(by_z).max() > 1e-2


def test_larger_batches_have_less_noisy_means(rng):
    """Course 2.7: the standard deviation of the batch mean falls as 1/sqrt(m)."""
    for m in (16, 64, 256):
        mean, _ = moments(tf.constant(rng.normal(5, 2, (4000, m))), [1])
        assert np.std(mean) * np.sqrt(m) == pytest.approx(2, rel=0.04)
