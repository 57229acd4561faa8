"""Moments of a whole from those of its parts, against the moments of the whole in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import normalization as reference
from tfcourse.formulas.pooling import feature_moments, pool_moments


def pooled(parts, axis=-1):
    total = (tf.zeros([], tf.float64),) * 3
    for part in parts:
        total = pool_moments(total, feature_moments(tf.constant(part), axis))
    return [np.asarray(value) for value in total]


@pytest.mark.parametrize("sizes", [[7], [1, 6], [3, 3, 1], [1] * 7, [5, 1, 1]], ids=str)
def test_the_whole_is_pooled_from_its_parts(sizes, rng):
    z = rng.normal(2, 3, (7, 4))
    count, mean, variance = pooled(np.split(z, np.cumsum(sizes)[:-1]))
    np.testing.assert_array_equal(count, 7)
    np.testing.assert_allclose(mean, z.mean(0), rtol=1e-13)
    np.testing.assert_allclose(variance, z.var(0), rtol=1e-13)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.floats(-1e6, 1e6))
def test_any_parts_around_any_mean(sizes, centre):
    z = np.random.default_rng(len(sizes)).normal(centre, 1, (sum(sizes), 2))
    _, mean, variance = pooled(np.split(z, np.cumsum(sizes)[:-1]))
    np.testing.assert_allclose(mean, z.mean(0), rtol=1e-13, atol=1e-9)
    np.testing.assert_allclose(variance, z.var(0), rtol=1e-8, atol=1e-12)


def test_a_large_mean_costs_no_digits(rng):
    """Where E[x²] - E[x]² in float64 has lost all but three."""
    z = rng.normal(1e6, 1e-1, (1000, 3))
    _, _, variance = pooled(np.split(z, 50))
    np.testing.assert_allclose(variance, z.var(0), rtol=1e-9)
    assert np.abs(((z**2).mean(0) - z.mean(0) ** 2) / z.var(0) - 1).max() > 1e-4


def test_order_does_not_matter(rng):
    parts = [feature_moments(tf.constant(rng.normal(i, 1, (i + 1, 3))), -1) for i in range(2)]
    for one, other in zip(pool_moments(*parts), pool_moments(*parts[::-1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_nothing_pooled_with_nothing():
    nothing = (tf.zeros(2, tf.float64),) * 3
    for value in pool_moments(nothing, nothing):
        np.testing.assert_array_equal(value, [0, 0])


@pytest.mark.parametrize(("shape", "axis"), [((6, 3), -1), ((5, 4, 3), -1), ((5, 3, 4, 2), 1)])
def test_the_moments_of_features(shape, axis, rng, compiled):
    z = rng.normal(2, 3, shape).astype(np.float32)
    axes = tuple(a for a in range(len(shape)) if a != axis % len(shape))
    actual = compiled(lambda z: feature_moments(z, axis))(tf.constant(z))
    for value, expected in zip(actual[1:], reference.moments(z, axes), strict=True):
        assert value.dtype == tf.float64
        np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_array_equal(actual[0], np.full(shape[axis], z.size // shape[axis]))


def test_masked_positions_do_not_count(rng):
    z = rng.normal(2, 3, (4, 5, 3))
    mask = rng.uniform(size=(4, 5)) < 0.5
    count, mean, variance = feature_moments(tf.constant(z), -1, tf.constant(mask))
    expected = reference.moments(z, (0, 1), mask[..., None])
    np.testing.assert_array_equal(count, np.full(3, mask.sum()))
    np.testing.assert_allclose(mean, expected[0], rtol=1e-12)
    np.testing.assert_allclose(variance, expected[1], rtol=1e-12)


def test_a_fully_masked_part_changes_nothing(rng):
    z = tf.constant(rng.normal(2, 3, (4, 5, 3)))
    part = feature_moments(z, -1, tf.ones([4, 5], tf.bool))
    nothing = feature_moments(z, -1, tf.zeros([4, 5], tf.bool))
    for pair in [(part, nothing), (nothing, part)]:
        for value, expected in zip(pool_moments(*pair), part, strict=True):
            np.testing.assert_array_equal(value, expected)
