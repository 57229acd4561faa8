"""Each parameter is a bijection between the unit interval and its values, with known shares."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tfcourse.search.space.parameters import Choice, Range
from tfcourse.search.space.sampling import sample

UNIT = st.floats(0, 1)
COUNT = st.integers(1, 50)
STEP = st.floats(1e-3, 10)
# A range may end before its next step: the last value stays what it is.
SURPLUS = st.floats(0, 0.9)


def continuous(low, width, scale):
    return Range("float", low, low + width, None, scale)


def stepped(low, step, count, surplus, scale):
    return Range("float", low, low + (count - 1 + surplus) * step, step, scale)


def stepped_below_one(gap, step, count):
    """A stepped range whose last bin ends at ``1 - gap``."""
    low = 1 - gap - (count - 0.5) * step
    return Range("float", low, low + (count - 1) * step, step, "one_minus_log")


def whole(low, step, count, scale):
    return Range("int", low, low + (count - 1) * step, step, scale)


def whole_on_log(steps_from_zero, step, count):
    """An int log range; its first bin starts half a step below ``low``, and above zero."""
    return whole(step * steps_from_zero, step, count, "log")


CONTINUOUS = st.one_of(
    st.builds(continuous, st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.just("linear")),
    st.builds(continuous, st.floats(1e-6, 10), st.floats(1e-3, 1e3), st.just("log")),
    st.builds(continuous, st.floats(-9, 0.5), st.floats(0.1, 0.49), st.just("one_minus_log")),
)
STEPPED_FLOATS = st.one_of(
    st.builds(stepped, st.floats(-1e3, 1e3), STEP, COUNT, SURPLUS, st.just("linear")),
    st.builds(
        lambda delta, step, count, surplus: stepped(
            step * (0.5 + delta), step, count, surplus, "log"
        ),
        st.floats(1e-3, 100),
        STEP,
        COUNT,
        SURPLUS,
    ),
    st.builds(stepped_below_one, st.floats(1e-4, 0.5), STEP, COUNT),
)
WHOLE = st.one_of(
    st.builds(whole, st.integers(-1000, 1000), st.integers(1, 64), COUNT, st.just("linear")),
    st.builds(whole_on_log, st.integers(1, 100), st.integers(1, 64), COUNT),
    # 1-v is at least 1 from v = 0 down.
    st.builds(
        lambda end, step, count: whole(end - count * step, step, count, "one_minus_log"),
        st.integers(-1000, 0),
        st.integers(1, 64),
        COUNT,
    ),
)
STEPPED = STEPPED_FLOATS | WHOLE
CHOICES = st.builds(
    lambda values: Choice(tuple(values)),
    st.lists(st.integers() | st.text() | st.floats(allow_nan=False), min_size=1, unique=True),
)


def values_of(parameter):
    """All values of a parameter that has a count of them, from the definition."""
    if isinstance(parameter, Choice):
        return list(parameter.values)
    return [parameter.low + k * parameter.step for k in range(parameter.count)]


def coordinate(value, scale):
    """The definition of the scales, apart from `tfcourse.formulas.scales`."""
    return {
        "linear": lambda v: v,
        "log": math.log,
        "one_minus_log": lambda v: -math.log(1 - v),
    }[scale](value)


@given(STEPPED)
def test_the_number_of_values(parameter):
    values = values_of(parameter)
    assert values[-1] <= parameter.high + 1e-9 * parameter.step
    assert values[-1] + parameter.step > parameter.high


@given(STEPPED)
def test_every_value_is_found_again_at_its_position(parameter):
    for value in values_of(parameter):
        assert parameter.value_at(parameter.unit_of(value)) == pytest.approx(value, rel=1e-12)
        # Without a tolerance: the position gives back what the position gave.
        again = parameter.value_at(parameter.unit_of(value))
        assert parameter.value_at(parameter.unit_of(again)) == again


@given(CHOICES)
def test_every_choice_is_found_again_at_its_position(choice):
    assert [choice.value_at(choice.unit_of(value)) for value in choice.values] == list(
        choice.values
    )


@given(CONTINUOUS, UNIT)
def test_every_position_of_a_continuous_range_is_found_again(parameter, unit):
    value = parameter.value_at(unit)
    assert parameter.unit_of(value) == pytest.approx(unit, abs=1e-9)
    assert parameter.value_at(parameter.unit_of(value)) == pytest.approx(value, rel=1e-12)


@given(STEPPED, UNIT)
def test_a_stepped_value_is_low_plus_a_number_of_steps(parameter, unit):
    value = parameter.value_at(unit)
    position = round((value - parameter.low) / parameter.step)
    assert 0 <= position < parameter.count
    assert value == pytest.approx(parameter.low + position * parameter.step, rel=1e-12)


@given(STEPPED | CONTINUOUS, UNIT)
def test_no_value_is_outside_the_range(parameter, unit):
    assert parameter.low <= parameter.value_at(unit) <= parameter.high


def test_the_last_of_many_whole_numbers_does_not_pass_high():
    """More than floats can count."""
    largest = 2**63 - 1
    value = Range("int", 0, largest, 1).value_at(1.0)
    assert (type(value), value) == (int, largest)


def test_the_last_step_does_not_pass_high_by_rounding():
    """0.1 + 2·0.1 is 0.30000000000000004."""
    assert Range("float", 0.1, 0.3, 0.1).value_at(1.0) == 0.3


@pytest.mark.parametrize(
    ("parameter", "kind"),
    [
        (Range("int", 1, 9, 2), int),
        (Range("int", 2, 10, 2, "log"), int),
        (Range("float", 0.5, 1.5), float),
        (Range("float", 1, 9), float),
        (Range("float", 1, 9, 2), float),
        (Range("float", 2, 10, 2, "log"), float),
    ],
)
def test_values_are_of_the_ranges_kind(parameter, kind):
    assert {type(parameter.value_at(unit)) for unit in (0.0, 0.3, 1.0)} == {kind}


@given(STEPPED | CONTINUOUS, UNIT, UNIT)
def test_a_larger_position_gives_no_smaller_value(parameter, first, second):
    smaller, larger = sorted([first, second])
    assert parameter.value_at(smaller) <= parameter.value_at(larger)


@given(STEPPED | CHOICES)
def test_both_ends_are_reached(parameter):
    values = values_of(parameter)
    assert parameter.value_at(0.0) == values[0]
    assert parameter.value_at(1.0) == pytest.approx(values[-1], rel=1e-12)


@given(CONTINUOUS)
def test_both_ends_of_a_continuous_range_are_reached(parameter):
    assert (parameter.value_at(0.0), parameter.value_at(1.0)) == (parameter.low, parameter.high)


@given(STEPPED)
def test_each_value_has_the_share_of_its_bin_on_the_scale(parameter):
    """Value v is drawn between the positions of v - s/2 and v + s/2, and nowhere else."""
    half, scale, values = parameter.step / 2, parameter.scale, values_of(parameter)
    first, last = (coordinate(end, scale) for end in (values[0] - half, values[-1] + half))
    start = 0.0
    for value in values:
        end = (coordinate(value + half, scale) - first) / (last - first)
        inside = 1e-6 * (end - start)
        for unit in (start + inside, (start + end) / 2, end - inside):
            assert parameter.value_at(unit) == pytest.approx(value, rel=1e-9)
        start = end


@given(CHOICES)
def test_choices_are_equally_likely(choice):
    count = len(choice.values)
    for position, value in enumerate(choice.values):
        for offset in (1e-6, 0.5, 1 - 1e-6):
            assert choice.value_at((position + offset) / count) == value


def drawn(parameter, trials=10_000, seed=0):
    """The values that trials 0, 1, … of one search get."""
    return [sample({"p": parameter}, seed, trial)["p"] for trial in range(trials)]


@pytest.mark.parametrize(
    ("parameter", "shares"),
    [
        (Range("int", 1, 3, 1), {1: 1 / 3, 2: 1 / 3, 3: 1 / 3}),
        (Range("int", 32, 128, 32), dict.fromkeys((32, 64, 96, 128), 1 / 4)),
        (Range("float", 0.0, 1.0, 0.25), dict.fromkeys((0.0, 0.25, 0.5, 0.75, 1.0), 1 / 5)),
        (
            Range("int", 1, 16, 1, "log"),
            {v: math.log((v + 0.5) / (v - 0.5)) / math.log(16.5 / 0.5) for v in range(1, 17)},
        ),
        (
            Range("int", 32, 256, 32, "log"),
            {
                v: math.log((v + 16) / (v - 16)) / math.log((256 + 16) / (32 - 16))
                for v in range(32, 257, 32)
            },
        ),
        (Choice(("relu", "tanh", True, None)), dict.fromkeys(("relu", "tanh", True, None), 1 / 4)),
    ],
    ids=["int", "int in steps", "float in steps", "int log", "int log in steps", "choice"],
)
def test_samples_have_the_exact_shares(parameter, shares):
    samples = drawn(parameter)
    observed = [samples.count(value) for value in shares]
    expected = len(samples) * np.array(list(shares.values()))
    assert sum(observed) == len(samples)
    assert stats.chisquare(observed, expected).pvalue > 1e-3


@pytest.mark.parametrize(
    ("parameter", "cdf"),
    [
        (Range("float", -2.0, 3.0), stats.uniform(-2, 5).cdf),
        (Range("float", 1e-4, 1.0, scale="log"), stats.loguniform(1e-4, 1).cdf),
        (
            Range("float", 0.9, 0.999, scale="one_minus_log"),
            lambda beta: stats.loguniform(1e-3, 0.1).sf(1 - beta),
        ),
    ],
    ids=["linear", "log", "one_minus_log"],
)
def test_samples_have_the_exact_distribution(parameter, cdf):
    assert stats.kstest(drawn(parameter), cdf).pvalue > 1e-3
