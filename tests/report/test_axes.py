"""The axes of figures: positions and ticks against the scales' formulas."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfcourse.report.axes import axis_of, equal_steps, log_ticks, score_axis
from tfcourse.search.space.parameters import Choice, Range


def test_the_positions_are_those_of_the_scale():
    log = axis_of("a", Range("float", 1e-4, 1.0, scale="log"))
    assert (log.low, log.high, log.position(0.01)) == pytest.approx((-4, 0, -2))
    beta = axis_of("b", Range("float", 0.9, 0.999, scale="one_minus_log"))
    assert (beta.low, beta.high, beta.position(0.99)) == pytest.approx((1, 3, 2))
    assert axis_of("c", Range("float", -1.0, 3.0)).position(0.5) == 0.5
    choice = axis_of("d", Choice(("x", True, 3)))
    assert [choice.position(v) for v in ("x", True, 3)] == [0, 1, 2]
    assert math.isnan(choice.position("other"))
    assert math.isnan(log.position(None))


def test_the_ticks_are_values():
    beta = axis_of("b", Range("float", 0.9, 0.9999, scale="one_minus_log"))
    assert [text for _, text in beta.ticks] == ["0.9", "0.99", "0.999", "0.9999"]
    for position, text in beta.ticks:
        assert position == pytest.approx(-math.log10(1 - float(text)))
    layers = axis_of("layers", Range("int", 1, 4, 1))
    assert list(layers.ticks) == [(1, "1"), (2, "2"), (3, "3"), (4, "4")]
    assert [text for _, text in axis_of("x", Choice(("a", False))).ticks] == ["a", "False"]


@given(st.floats(-12, 12), st.floats(0.01, 20))
def test_log_ticks_lie_within_the_range_and_say_where_they_are(low, length):
    ticks = log_ticks(low, low + length)
    assert 1 <= len(ticks) <= 9
    assert ticks == sorted(ticks)
    for position, text in ticks:
        assert low - 1e-6 <= position <= low + length + 1e-6
        assert math.log10(float(text)) == pytest.approx(position, abs=1e-4)


@given(st.floats(-1e3, 1e3), st.floats(0.1, 1e6))
def test_equal_steps_are_few_round_numbers(low, length):
    steps = equal_steps(low, low + length)
    assert 2 <= len(steps) <= 6
    assert all(low - 1e-6 * length <= n <= low + length * (1 + 1e-6) for n in steps)
    gaps = np.diff(steps)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-5)
    assert f"{gaps[0]:.0e}"[0] in "125"


@given(st.integers(0, 10_000))
def test_a_discrete_point_stays_closer_to_its_value_than_to_others(number):
    axis = axis_of("units", Range("int", 8, 64, 8, scale="log"))
    values = [8, 16, 24, 32, 40, 48, 56, 64]
    for value in values:
        point = axis.point(value, number)
        assert min(values, key=lambda v: abs(axis.position(v) - point)) == value


def test_scores_that_lie_decades_apart_are_on_a_log_scale():
    assert score_axis("loss", [0.01, 0.1, 100.0]).position(10.0) == 1
    assert score_axis("loss", [0.5, 2.0, math.nan]).position(2.0) == 2.0
    assert score_axis("r2", [-1.0, 1000.0]).position(2.0) == 2.0
    low, high = score_axis("loss", [0.5, 0.5]).padded
    assert low < 0.5 < high
    assert np.isfinite(score_axis("loss", []).padded).all()
