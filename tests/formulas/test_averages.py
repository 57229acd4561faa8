import numpy as np
import pytest
import tensorflow as tf

from tests.reference import averages as reference
from tfcourse.errors import InputError
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


def test_the_cold_start_of_an_uncorrected_average():
    assert averages.weighted_average([7.0] * 20, 0.98)[0] == pytest.approx(0.14)


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999, 1 - 1e-6, 1 - 1e-12])
def test_the_corrected_average_of_a_constant_is_the_constant_for_every_beta(beta):
    corrected = averages.weighted_average([7.0] * 1000, beta, bias_correction=True)
    np.testing.assert_allclose(corrected, 7.0, rtol=1e-13)


@pytest.mark.parametrize("bias_correction", [False, True])
def test_a_beta_in_float32_is_taken_as_it_is(rng, bias_correction):
    values, beta = rng.normal(size=50), np.float32(0.999)
    np.testing.assert_array_equal(
        averages.weighted_average(values, beta, bias_correction),
        averages.weighted_average(values, float(beta), bias_correction),
    )


def test_whole_numbers_and_their_average_are_numbers():
    average = averages.weighted_average([1, 0, 0], 0.5)
    assert average.dtype == "float64"
    np.testing.assert_array_equal(average, [0.5, 0.25, 0.125])


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
@pytest.mark.parametrize("bias_correction", [False, True])
def test_an_empty_series_has_an_empty_average(shape, bias_correction):
    empty = averages.weighted_average(np.empty(shape), bias_correction=bias_correction)
    assert empty.shape == shape


@pytest.mark.parametrize("beta", [1.0, 1.5, -0.1, float("nan"), "0.9", None])
def test_weighted_average_rejects_a_beta_outside_its_range(beta):
    with pytest.raises(InputError) as error:
        averages.weighted_average([1.0], beta)
    assert str(error.value) == (
        f"weighted_average: beta must be a number in [0, 1). Received: {beta!r}."
    )


def test_weighted_average_rejects_a_single_number():
    with pytest.raises(InputError, match=r"values must be a series\. Received: 3\.0\."):
        averages.weighted_average(3.0)


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
    np.testing.assert_allclose(averages.effective_window(np.array([beta])), [window], rtol=1e-4)


@pytest.mark.parametrize("beta", [0.98, 0.999])
def test_what_the_window_means(beta):
    """One value, and the weight it still has a window later: β^(1/(1-β)) ≈ 1/e of the first."""
    window = round(averages.effective_window(beta))
    weights = averages.weighted_average([1.0] + window * [0.0], beta)
    assert weights[window] / weights[0] == pytest.approx(np.exp(-1), rel=0.02)


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


def test_interpolation_is_exact_at_both_ends(rng, compiled, dtype):
    old, new = rng.normal(size=(2, 5)).astype(dtype) * np.array([[1], [1e-9]], dtype)
    for share, expected in ((0.0, old), (1.0, new)):
        actual = compiled(averages.interpolate_average)(old, new, tf.constant(share, dtype))
        np.testing.assert_array_equal(actual, expected)
    assert not np.array_equal(averages.update_average(old, new, np.ones((), dtype)), new)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_interpolation_is_the_update(rng, compiled, dtype, close, share):
    old, new = rng.normal(size=(2, 5)).astype(dtype)
    share = tf.constant(share, dtype)
    actual = compiled(averages.interpolate_average)(old, new, share)
    close(actual, old + np.float64(share) * (np.float64(new) - old))


@pytest.mark.parametrize("step", [1, 2, 10, 1000])
def test_bias_correction_is_the_weight_of_all_values(step):
    expected = reference.bias_correction(0.999, step)
    assert averages.bias_correction(0.999, step) == pytest.approx(expected, rel=1e-12)
