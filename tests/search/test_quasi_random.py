"""The randomized Halton sequence beside SciPy's, and what a search makes of its points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, qmc
from scipy.stats._qmc import van_der_corput

from tfcourse.search.space.parameters import Choice, Range
from tfcourse.search.strategies.quasi_random import (
    _permutations,
    halton_points,
    quasi_random,
)

PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53]
SPACE = {
    "rate": Range("float", 1e-4, 1.0, scale="log"),
    "beta": Range("float", 0.9, 0.999, scale="one_minus_log"),
    "units": Range("int", 32, 128, 32),
    "kind": Choice(("a", "b")),
    "momentum": Range("float", 0.5, 0.9, when=(("kind", "b"),)),
}


def halton_point(seed, number, dimensions):
    return halton_points(seed, [number], dimensions)[0].tolist()


@pytest.mark.parametrize("dimension", [0, 1, 4, 15])
def test_the_digits_are_scrambled_as_scipy_does(dimension):
    """With the same permutations SciPy's scrambled van der Corput sequence is the same."""
    base = PRIMES[dimension]
    permutations = _permutations(3, dimension, base)
    expected = van_der_corput(200, base, scramble=True, permutations=permutations)
    found = [halton_point(3, number, 16)[dimension] for number in range(200)]
    assert found == pytest.approx(expected, abs=1e-14)
    assert halton_points(3, range(200), 16)[:, dimension] == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("dimensions", [1, 2, 5, 10])
@pytest.mark.parametrize("count", [16, 64, 256])
def test_the_points_are_as_even_as_scipys(dimensions, count):
    """The centred discrepancy, in the median over seeds; that of independent points is larger."""

    def median(points_of):
        return np.median([qmc.discrepancy(points_of(seed)) for seed in range(24)])

    ours = median(lambda seed: halton_points(seed, range(count), dimensions))
    scipys = median(lambda seed: qmc.Halton(dimensions, rng=seed).random(count))
    independent = median(lambda seed: np.random.default_rng(seed).random((count, dimensions)))
    assert ours < 1.25 * scipys
    assert ours < 0.75 * independent


@given(st.integers(0, 2**64), st.integers(0, 10**9), st.integers(1, 40))
@settings(max_examples=40)
def test_a_position_lies_in_the_unit_interval(seed, number, dimensions):
    point = halton_point(seed, number, dimensions)
    assert len(point) == dimensions
    assert all(0 <= position < 1 for position in point)


@pytest.mark.parametrize("number", [0, 1, 7, 100])
def test_each_point_is_uniform_over_the_seeds(number):
    positions = np.array([halton_point(seed, number, 6) for seed in range(400)])
    for dimension in range(6):
        assert kstest(positions[:, dimension], "uniform").pvalue > 1e-3


def test_every_bin_of_a_base_is_met_once():
    """Of b^k consecutive points, each b^-k of the interval holds one, whatever the first."""
    for dimension, base in enumerate(PRIMES[:4]):
        for first in (0, base**2, 5 * base**2):
            positions = [
                halton_point(1, number, 4)[dimension] for number in range(first, first + base**2)
            ]
            assert sorted(np.floor(np.array(positions) * base**2)) == list(range(base**2))


def test_a_trial_is_its_point_on_the_scales():
    for trial in (0, 5, 1000):
        point = dict(zip(sorted(SPACE), halton_point(7, trial, len(SPACE)), strict=True))
        values = quasi_random(SPACE, 7, trial)
        assert values["rate"] == pytest.approx(10 ** (4 * point["rate"] - 4))
        assert 1 - values["beta"] == pytest.approx(10 ** (-1 - 2 * point["beta"]))
        assert values["units"] == 32 * (1 + int(4 * point["units"]))
        assert values["kind"] == "ab"[int(2 * point["kind"])]
        assert ("momentum" in values) == (values["kind"] == "b")


def test_the_order_of_the_space_does_not_matter():
    turned = dict(reversed(SPACE.items()))
    for trial in range(8):
        assert quasi_random(turned, 0, trial) == quasi_random(SPACE, 0, trial)


def test_values_of_a_choice_have_equal_shares():
    """Whose base is not the number of the values: off by two in 120 at most."""
    space = {name: Choice(tuple("abc")) for name in "uvwxyz"}
    trials = [quasi_random(space, 0, trial) for trial in range(120)]
    for name in space:
        found = [values[name] for values in trials]
        assert all(abs(found.count(value) - 40) <= 4 for value in "abc")


def test_seeds_differ():
    assert len({tuple(halton_point(seed, 0, 3)) for seed in range(50)}) == 50
