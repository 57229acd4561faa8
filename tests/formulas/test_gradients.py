import numpy as np
import pytest
import tensorflow as tf

from tests.reference.gradients import numerical_gradient
from tfcourse.formulas.gradients import relative_difference, rounding_noise, two_sided_difference


def test_a_cubic_is_off_by_epsilon_squared():
    """(w+ε)³ - (w-ε)³ = 2ε (3w² + ε²), without rounding for these numbers."""
    for w, epsilon in ((3.0, 0.5), (-2.0, 0.25), (0.0, 1.0)):
        costs = (w + epsilon) ** 3, (w - epsilon) ** 3
        assert two_sided_difference(*costs, epsilon) == 3 * w**2 + epsilon**2


def test_half_the_step_is_a_quarter_of_the_error(compiled):
    w = tf.constant(np.linspace(-1, 1, 7))

    @compiled
    def error(epsilon):
        approximation = two_sided_difference(tf.sin(w + epsilon), tf.sin(w - epsilon), epsilon)
        return approximation - tf.cos(w)

    whole, half = (error(tf.constant(e, tf.float64)).numpy() for e in (1e-2, 5e-3))
    np.testing.assert_allclose(whole / half, 4, rtol=1e-4)


def test_it_is_the_reference(rng):
    x, offset = rng.normal(size=5), 1e-6
    expected = numerical_gradient(lambda v: np.sum(np.exp(v)), x, offset)
    for i in range(5):
        plus, minus = x.copy(), x.copy()
        plus[i] += offset
        minus[i] -= offset
        costs = np.exp(plus).sum(), np.exp(minus).sum()
        assert two_sided_difference(*costs, offset) == expected[i]


def test_relative_difference(rng, compiled, dtype, close):
    a, b = rng.normal(size=(2, 50)).astype(dtype)
    norm = np.linalg.norm
    expected = norm(a.astype(float) - b) / (norm(a.astype(float)) + norm(b.astype(float)))
    close(compiled(relative_difference)(tf.constant(a), tf.constant(b)), expected)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([3.0, 4.0], [3.0, 4.0], 0),
        ([3.0, 4.0], [-3.0, -4.0], 1),
        ([3.0, 4.0], [0.0, 0.0], 1),
        ([0.0, 0.0], [3.0, 4.0], 1),
        ([0.0, 0.0], [0.0, 0.0], 0),
        ([3.0, 4.0], [9.0, 12.0], 0.5),
        ([3e-300], [1e-300], 0),  # squares that are 0 in float64 are taken for zeros
        ([1e-7], [3e-7], 0.5),
    ],
)
def test_relative_difference_by_hand(a, b, expected):
    a, b = np.array(a), np.array(b)
    assert float(relative_difference(a, b)) == pytest.approx(expected, rel=1e-12)
    assert float(relative_difference(b, a)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_never_equal(bad):
    assert np.isnan(float(relative_difference(np.array([1.0, bad]), np.array([1.0, 2.0]))))


@pytest.mark.parametrize("order", [2, 4])
def test_noise_is_found_beneath_a_smooth_cost(rng, compiled, order):
    """A slope and a curvature a million times the noise, over the distance between values."""
    steps = np.arange(200.0)
    smooth = 7 + 1e-3 * steps + (1e-10 * steps**2 if order > 2 else 0)
    noisy = smooth + rng.normal(scale=1e-9, size=200)
    found = compiled(lambda costs: rounding_noise(costs, order))(tf.constant(noisy))
    assert float(found) == pytest.approx(1e-9, rel=0.2)


def test_a_polynomial_below_the_order_has_no_noise():
    steps = np.arange(9.0)
    assert float(rounding_noise(2 * steps**3 - steps + 5)) == 0
    assert float(rounding_noise(steps**4)) == pytest.approx(24 * np.sqrt(24**2 / 40320))
