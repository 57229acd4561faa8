"""The variety of synthetic data: what it measures, and that it warns where it must (course 6.5)."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from tfcourse import InputError
from tfcourse.strategy import check_variety
from tfcourse.strategy.variety import coverage_of_equals, nearest_distances

DIGITS = load_digits().data


def test_the_distances_are_scikit_learns(rng):
    """Of more points than a block has, among themselves and to others."""
    points, others = rng.normal(size=(700, 6)), rng.normal(size=(300, 6))
    for rank in (1, 5):
        reference = NearestNeighbors(n_neighbors=rank).fit(others).kneighbors(points)[0][:, -1]
        np.testing.assert_allclose(nearest_distances(points, others, rank), reference)
        reference = NearestNeighbors(n_neighbors=rank).fit(points).kneighbors()[0][:, -1]
        np.testing.assert_allclose(nearest_distances(points, points, rank, True), reference)


def test_the_expected_coverage_is_its_mean_over_draws(rng):
    """Lemma 2 of the paper, in another dimension than the test of distances."""
    coverages = []
    for _ in range(400):
        real, new = rng.normal(size=(2, 20, 3))
        radius = nearest_distances(real, real, 2, own=True)
        coverages.append(np.mean(nearest_distances(real, new, 1) <= radius))
    assert abs(np.mean(coverages) - coverage_of_equals(20, 2)) < 0.01
    assert coverage_of_equals(10**6, 5) == pytest.approx(1 - 1 / 32, abs=1e-5)


def test_real_data_has_variety():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        variety = check_variety(DIGITS[::2], DIGITS[1::2].reshape(-1, 8, 8).reshape(-1, 64))
    assert variety.warnings == () and variety.duplicates == 0
    assert 0.9 < variety.distance < 1.1
    assert variety.coverage > 0.9
    assert "No sign of low variety." in str(variety)


def test_a_few_designs_with_noise(rng):
    """Ten digits, each many times with a little noise: none repeats, each looks real."""
    synthetic = DIGITS[:10][rng.integers(0, 10, 500)] + rng.normal(0, 0.1, (500, 64))
    with pytest.warns(UserWarning, match="Low coverage: .* of the real examples"):
        variety = check_variety(synthetic, DIGITS)
    assert variety.coverage < 0.1 and len(variety.warnings) == 1
    assert "Low coverage" in str(variety)


def test_duplicates_and_crowds(rng):
    copies = DIGITS[rng.integers(0, 1000, 500)]
    with pytest.warns(UserWarning, match="repeat another one"):
        variety = check_variety(copies, DIGITS)
    assert variety.duplicates == pytest.approx(1 - len(np.unique(copies, axis=0)) / 500)
    assert len(variety.warnings) == 1
    with pytest.warns(UserWarning) as caught:
        variety = check_variety(DIGITS[:1] + rng.normal(0, 0.01, (300, 64)), DIGITS)
    texts = [str(warning.message) for warning in caught]
    assert texts == [*variety.warnings] and len(texts) == 2
    assert "times as far from each other" in texts[0] and "Low coverage" in texts[1]
    assert variety.distance < 0.1


@pytest.mark.parametrize(("offset", "constant"), [(0, 0.1), (1e9, 0), (-1e9, 1 / 3)])
def test_a_constant_feature_and_a_large_offset_hide_nothing(offset, constant, rng):
    """As of seconds since 1970: the distances are small beside the numbers."""
    real, synthetic = rng.normal(size=(2, 500, 4)) + offset
    column = np.full((500, 1), constant)
    variety = check_variety(np.hstack([synthetic, column]), np.hstack([real, column]))
    alone = check_variety(synthetic - offset, real - offset)
    assert variety.distance == pytest.approx(alone.distance, rel=1e-4)
    assert variety.coverage == pytest.approx(alone.coverage, abs=0.002)
    assert alone.coverage < 1


def test_the_same_seed_gives_the_same_sample(rng):
    x = rng.normal(size=(300, 4))
    one, two, other = (
        check_variety(x[:150], x[150:], most_examples=60, seed=seed) for seed in (1, 1, 2)
    )
    assert (one.coverage, one.distance) == (two.coverage, two.distance)
    assert one.distance != other.distance and one.examples == 60


@pytest.mark.parametrize(
    ("synthetic", "real", "options", "text"),
    [
        (np.zeros((9, 3)), np.zeros((9, 4)), {}, r"Received: \(3,\) and \(4,\)"),
        (np.zeros((4, 3)), np.zeros((9, 3)), {}, "below the number of examples of each kind, 4"),
        (np.zeros((9, 3)), np.zeros((9, 3)), {"neighbours": 1.5}, "Received: 1.5"),
        (DIGITS, DIGITS, {"neighbours": np.inf}, "neighbours must be .* Received: inf"),
        (DIGITS, DIGITS, {"seed": -1}, "seed must be a whole number >= 0. Received: -1"),
        (DIGITS, DIGITS, {"most_examples": 20.5}, "most_examples must be .* Received: 20.5"),
        (np.full((9, 3), np.nan), np.zeros((9, 3)), {}, "synthetic holds values that are not fin"),
        (np.zeros(9), np.zeros((9, 3)), {}, r"synthetic must be numbers of shape \(examples"),
    ],
)
def test_errors(synthetic, real, options, text):
    with pytest.raises(InputError, match=text):
        check_variety(synthetic, real, **options)
