"""Temperature scaling against scipy, and the calibration error against its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from tfcourse.formulas.calibration import (
    best_temperature,
    expected_calibration_error,
    reliability_bins,
    temperature_derivatives,
    two_class_logits,
)


def drawn(seed, m=200, classes=4, scale=3.0, sure=2.0):
    """Logits, and labels of the probabilities of these logits divided by ``sure``."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, scale, (m, classes))
    p = softmax(z / sure, -1)
    return z, (p.cumsum(-1) > rng.random((m, 1))).argmax(-1)


def loss(z, labels, inverse):
    return -log_softmax(inverse * z, -1)[np.arange(len(z)), labels].mean()


@given(st.integers(0, 1000), st.floats(0.05, 5))
def test_the_loss_and_its_derivatives(seed, inverse):
    z, labels = drawn(seed, m=20)
    value, slope, curvature = temperature_derivatives(z + 1000, labels, inverse)
    assert value == pytest.approx(loss(z, labels, inverse))
    h = 1e-4
    near = [loss(z, labels, inverse + d) for d in (-h, 0, h)]
    assert slope == pytest.approx((near[2] - near[0]) / (2 * h), rel=1e-4, abs=1e-6)
    assert curvature == pytest.approx((near[2] - 2 * near[1] + near[0]) / h**2, rel=1e-2, abs=1e-5)
    assert curvature >= 0


@given(st.integers(0, 1000), st.sampled_from([0.2, 1.0, 3.0, 20.0]))
def test_the_temperature_is_scipys(seed, sure):
    z, labels = drawn(seed, sure=sure)
    reference = minimize_scalar(
        lambda t: loss(z, labels, 1 / np.exp(t)), bounds=np.log([0.01, 100]), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    temperature = best_temperature(z, labels)
    assert loss(z, labels, 1 / temperature) <= reference.fun + 1e-12
    if 0.011 < temperature < 99:
        assert temperature == pytest.approx(np.exp(reference.x), rel=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e3])
def test_it_is_found_for_logits_of_any_size(dtype, scale):
    z, labels = drawn(1, m=5000)
    found = best_temperature((z * scale).astype(dtype), labels, (1e-9, 1e9))
    assert found == pytest.approx(best_temperature(z, labels) * scale, rel=1e-4)
    assert best_temperature(z, labels) == pytest.approx(2, rel=0.1)


def test_perfect_separation_and_contradiction_end_at_the_bounds():
    z = np.eye(3) * 4
    assert best_temperature(z, np.arange(3)) == 0.01
    assert best_temperature(z, np.arange(3), (0.5, 2.0)) == 0.5
    assert best_temperature(-z, np.arange(3)) == 100.0
    assert best_temperature(np.zeros((3, 3)), np.arange(3)) == 100.0  # any T is as good
    # One mistake among many is enough for a minimum.
    z, labels = np.repeat(z, 50, 0), np.repeat(np.arange(3), 50)
    labels[0] = 1
    assert 0.1 < best_temperature(z, labels) < 2


@given(st.integers(0, 1000))
def test_two_classes_are_a_sigmoid(seed):
    z = np.random.default_rng(seed).normal(0, 5, (9, 1))
    np.testing.assert_allclose(softmax(two_class_logits(z), -1)[:, 1:], 1 / (1 + np.exp(-z)))


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_the_calibration_error_is_its_definition(predictions, bins):
    confidence, correct = np.array(predictions, float).T
    parts = reliability_bins(confidence, correct, bins)
    assert parts.sizes.sum() == len(predictions)
    expected = 0.0
    for i in range(bins):
        low, high = np.linspace(0, 1, bins + 1)[i : i + 2]
        inside = (confidence > low) & (confidence <= high)
        if i == 0:
            inside |= confidence == 0
        assert inside.sum() == parts.sizes[i]
        if inside.any():
            assert parts.accuracy[i] == pytest.approx(correct[inside].mean())
            assert parts.confidence[i] == pytest.approx(confidence[inside].mean())
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert expected_calibration_error(parts) == pytest.approx(expected, abs=1e-12)


def test_an_edge_belongs_to_the_bin_below_it():
    sizes = reliability_bins(np.array([0.0, 0.25, 0.5, 0.500001, 1.0]), np.ones(5), 4).sizes
    np.testing.assert_array_equal(sizes, [2, 1, 1, 1])


def test_probabilities_that_are_right_as_often_as_they_say(rng):
    confidence = rng.random(200_000)
    error = expected_calibration_error(
        reliability_bins(confidence, rng.random(200_000) < confidence, 15)
    )
    assert error < 0.01
    over_sure = reliability_bins(np.full(1000, 0.99), rng.random(1000) < 0.7, 15)
    assert expected_calibration_error(over_sure) == pytest.approx(0.29, abs=0.05)


@pytest.mark.parametrize("low", [0.7, 1.5])
def test_bounds_about_and_beside_the_temperature(low):
    z, labels = drawn(2, m=5000)
    found = best_temperature(z, labels)
    assert best_temperature(z, labels, (found * low, found * 1.6)) == pytest.approx(
        max(found, found * low), rel=1e-9
    )


def test_logits_in_float32_are_computed_with_in_double():
    z, labels = drawn(3)
    z = z.astype(np.float32)
    assert temperature_derivatives(z, labels, 0.7) == temperature_derivatives(
        z.astype(np.float64), labels, 0.7
    )
    assert two_class_logits(z[:, :1]).dtype == np.float64
