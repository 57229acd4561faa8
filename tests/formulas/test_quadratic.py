"""The toy's cost against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfcourse.formulas.quadratic import accurate_quadratic, quadratic


def exact(w, a, b, c):
    a, b, c = map(Fraction, (a, b, c))
    return [a * w * w + b * w + c for w in map(Fraction, w.tolist())]


def assert_right(w, a, b, c):
    actual = accurate_quadratic(w, a, b, c)
    for value, x, cost in zip(actual.tolist(), w.tolist(), exact(w, a, b, c), strict=True):
        terms = max(abs(Fraction(a)) * Fraction(x) ** 2, abs(Fraction(b) * Fraction(x)), abs(c))
        assert (
            abs(Fraction(value) - cost)
            <= abs(cost) * Fraction(2) ** -52 + terms * Fraction(2) ** -98
        )


@pytest.mark.parametrize(
    ("a", "b", "c"),
    [
        (1, -10, 25),
        (1, 1e9, 0.5),
        (3, -1e6, 1),
        (0.7, 11.3e5, -40.1),
        (1e-3, 7e3, 1e-9),
        (0.1, -1e5 / 3, 1 / 7),
    ],
)
def test_where_the_terms_cancel(a, b, c):
    """Near the two roots and the minimum; the completed square loses c at the roots."""
    distance = (b * b / (4 * a * a) - c / a) ** 0.5 if b * b > 4 * a * c else 0.0
    places = [-b / (2 * a) + d for d in (-distance, 0, distance)]
    near = [np.nextafter(np.float32(p), np.float32(s)) for p in places for s in (p, -1e38, 1e38)]
    assert_right(np.array([0, 1, *near], np.float32), float(a), float(b), float(c))


numbers = st.floats(-(2.0**100), 2.0**100, width=32).filter(lambda x: x == 0 or abs(x) > 2.0**-100)


@given(st.lists(numbers, min_size=1, max_size=5), numbers, numbers, numbers)
def test_anywhere(w, a, b, c):
    assert_right(np.array(w, np.float32), a, b, c)


def test_the_cost_is_the_polynomial(rng):
    w = rng.normal(size=20)
    np.testing.assert_allclose(quadratic(w, 2.0, -3.0, 0.5), np.polyval([2.0, -3.0, 0.5], w))
