import numpy as np
import pytest
import tensorflow as tf

from tests.reference import averages as reference
from tfcourse.formulas import averages


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("shape", [(50,), (50, 3)])
def test_weighted_average_is_the_weighted_sum(rng, beta, shape):
    values = rng.normal(size=shape)
    np.testing.assert_allclose(
        averages.weighted_average(values, beta),
        reference.weighted_average(values, beta),
        rtol=1e-10,
        atol=1e-13,
    )


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.999])
def test_bias_correction_divides_by_the_weight_gathered(rng, beta):
    values = rng.normal(size=50)
    weights = [reference.bias_correction(beta, t) for t in range(1, 51)]
    np.testing.assert_allclose(
        averages.weighted_average(values, beta, bias_correction=True),
        reference.weighted_average(values, beta) / weights,
        rtol=1e-10,
        atol=1e-12,
    )


def test_the_corrected_average_of_a_constant_is_the_constant():
    corrected = averages.weighted_average([7.0] * 20, 0.98, bias_correction=True)
    np.testing.assert_allclose(corrected, 7.0, rtol=1e-13)
    assert averages.weighted_average([7.0] * 20, 0.98)[0] == pytest.approx(0.14)  # the cold start


def test_an_empty_series_has_an_empty_average():
    assert averages.weighted_average([]).shape == (0,)


@pytest.mark.parametrize("beta", [1.0, 1.5, -0.1, float("nan")])
def test_weighted_average_rejects_a_beta_outside_its_range(beta):
    with pytest.raises(ValueError, match=rf"beta must lie in \[0, 1\)\. Received: beta={beta}"):
        averages.weighted_average([1.0], beta)


def test_update_average(rng, compiled, dtype, close):
    values, average = rng.normal(size=(2, 4)).astype(dtype)
    update = compiled(averages.update_average)
    one_minus_beta = tf.constant(0.1, dtype)
    close(update(average, values, one_minus_beta), 0.9 * average + 0.1 * values)


@pytest.mark.parametrize(
    ("beta", "window"), [(0.9, 10), (0.9005, 10.05), (0.999, 1000), (0.9995, 2000)]
)
def test_effective_window(beta, window):
    assert averages.effective_window(beta) == pytest.approx(window, rel=1e-4)


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999, 0.99999])
def test_bias_correction_from_complement_is_exact_to_rounding(beta, compiled, dtype):
    steps = [1, 2, 10, 1000, 100_000]
    # β is what 1-β in this dtype stands for, so that only the formula's own error is seen.
    complement = tf.constant(1 - beta, dtype)
    exact = [reference.bias_correction(1 - float(complement), t) for t in steps]
    correct = compiled(averages.bias_correction_from_complement)
    actual = correct(complement, tf.constant(steps, dtype))
    np.testing.assert_allclose(actual, exact, rtol=8 * np.finfo(dtype).eps)


def test_bias_correction_in_float32_loses_the_digits_its_docstring_says():
    first = averages.bias_correction(tf.constant(0.999), tf.constant(1.0))
    assert float(first) == pytest.approx(0.001, rel=5e-5)
    assert float(first) != pytest.approx(0.001, rel=1e-6)
