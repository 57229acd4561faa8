import keras_tuner
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tfcourse.formulas.scales import SCALES, to_unit, to_value

UNIT = st.floats(0, 1)
EXPONENT_SPAN = st.floats(0.1, 5)


def linear_range(low, width):
    return low, low + width, "linear"


def log_range(exponent, span):
    return 10**exponent, 10 ** (exponent + span), "log"


def one_minus_log_range(exponent, span):
    return 1 - 10 ** (exponent + span), 1 - 10**exponent, "one_minus_log"


RANGES = st.one_of(
    st.builds(linear_range, st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)),
    st.builds(log_range, st.floats(-12, 5), EXPONENT_SPAN),
    st.builds(one_minus_log_range, st.floats(-6, -3), EXPONENT_SPAN),
)


@given(RANGES, UNIT)
def test_to_unit_inverts_to_value(bounds, unit):
    assert to_unit(to_value(unit, *bounds), *bounds) == pytest.approx(unit, abs=1e-6)


@given(RANGES, UNIT)
def test_to_value_inverts_to_unit(bounds, share):
    low, high, _ = bounds
    value = low + share * (high - low)
    assert to_value(to_unit(value, *bounds), *bounds) == pytest.approx(value, rel=1e-9, abs=1e-9)


@given(RANGES, UNIT, UNIT)
def test_to_value_is_monotone(bounds, first, second):
    smaller, larger = sorted([first, second])
    at_smaller, at_larger = to_value(smaller, *bounds), to_value(larger, *bounds)
    assert at_smaller < at_larger if larger - smaller > 1e-6 else at_smaller <= at_larger


@given(RANGES, UNIT)
def test_to_value_stays_in_the_range(bounds, unit):
    low, high, _ = bounds
    assert low <= to_value(unit, *bounds) <= high


@given(RANGES)
def test_the_ends_are_exact(bounds):
    low, high, _ = bounds
    assert (to_value(0, *bounds), to_value(1, *bounds)) == (low, high)
    assert (to_unit(low, *bounds), to_unit(high, *bounds)) == (0, 1)


@pytest.mark.parametrize(("low", "high"), [(1e-4, 1.0), (1e-5, 3e-2), (1e-3, 0.1)])
def test_the_ends_of_a_usual_learning_rate_are_exact(low, high):
    assert (to_value(0, low, high, "log"), to_value(1, low, high, "log")) == (low, high)


@pytest.mark.parametrize("scale", SCALES)
def test_a_range_of_one_value(scale):
    assert to_value(0.3, 0.25, 0.25, scale) == 0.25
    assert to_unit(0.25, 0.25, 0.25, scale) == 0.5
    np.testing.assert_array_equal(to_unit([0.25, 0.25], 0.25, 0.25, scale), [0.5, 0.5])


@pytest.mark.parametrize(
    ("scale", "low", "high", "distribution"),
    [
        ("linear", -2.0, 3.0, stats.uniform(-2, 5).cdf),
        ("log", 1e-4, 1.0, stats.loguniform(1e-4, 1).cdf),
        # x is on this scale where 1-x is log-uniform.
        ("one_minus_log", 0.9, 0.999, lambda x: 1 - stats.loguniform(1e-3, 0.1).cdf(1 - x)),
        ("one_minus_log", -9.0, 0.99, lambda x: 1 - stats.loguniform(0.01, 10).cdf(1 - x)),
    ],
)
def test_samples_have_the_exact_distribution(scale, low, high, distribution):
    units = np.random.default_rng(7).random(10_000)
    assert stats.kstest(to_value(units, low, high, scale), distribution).pvalue > 0.05


def test_learning_rates_of_the_course(rng):
    """Course 1.4: 90 % of uniform samples lie in [0.1, 1]; log gives each decade 25 %."""
    units = rng.random(100_000)
    uniform, log = (to_value(units, 1e-4, 1.0, scale) for scale in ("linear", "log"))
    assert np.mean(uniform >= 0.1) == pytest.approx(0.9, abs=0.005)
    shares, _ = np.histogram(np.log10(log), bins=[-4, -3, -2, -1, 0])
    np.testing.assert_allclose(shares / len(units), 0.25, atol=0.005)


def test_betas_of_the_course(rng):
    """Course 1.5: half of the samples lie above 0.99; with keras-tuner's reverse_log 9.5 % do."""
    units = rng.random(20_000)
    ours = to_value(units, 0.9, 0.999, "one_minus_log")
    assert np.mean(ours > 0.99) == pytest.approx(0.5, abs=0.01)
    theirs = keras_tuner.HyperParameters()
    theirs.Float("beta", 0.9, 0.999, sampling="reverse_log")
    values = [theirs.space[0].prob_to_value(unit) for unit in units]
    assert np.mean(np.array(values) > 0.99) == pytest.approx(0.095, abs=0.01)


@pytest.mark.parametrize(
    ("scale", "low", "high", "complaint"),
    [
        ("linear", -5, 5, ""),
        ("log", 1e-9, 5, ""),
        ("log", 0, 1, "low > 0"),
        ("log", -1, 1, "low > 0"),
        ("one_minus_log", -3, 0.9999, ""),
        ("one_minus_log", 0.9, 1, "high < 1"),
    ],
)
def test_domains(scale, low, high, complaint):
    assert SCALES[scale].admits(low, high) == complaint


@pytest.mark.parametrize("scale", SCALES)
def test_a_value_outside_the_range_is_at_its_end(scale):
    np.testing.assert_array_equal(to_unit([0.1, 0.95], 0.3, 0.9, scale), [0, 1])


@pytest.mark.parametrize("scale", ["linear", "one_minus_log"])
def test_a_range_of_one_value_has_the_middle_for_whole_numbers_too(scale):
    np.testing.assert_array_equal(to_unit([0, 0, 0], 0, 0, scale), [0.5, 0.5, 0.5])


def test_a_decay_in_float32_is_computed_with_in_double():
    value = np.float32(0.999)
    expected = to_unit(float(value), 0.9, 0.9999, "one_minus_log")
    assert to_unit(value, 0.9, 0.9999, "one_minus_log") == expected
    unit = np.float32(0.3)
    assert to_value(unit, 0.9, 0.9999, "one_minus_log") == pytest.approx(
        to_value(float(unit), 0.9, 0.9999, "one_minus_log"), rel=1e-9
    )
