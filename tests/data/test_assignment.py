"""Rows to sets and folds: disjoint, complete, by group, by time, as scikit-learn's splitters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, TimeSeriesSplit

from tfcourse import InputError
from tfcourse.data.splitting.assignment import RowKeys, assign_sets, fold_masks

SHARES = [(0.6, 0.2, 0.2), (0.8, 0.2), (0.5, 0.25, 0.25), (0.1, 0.9)]


def zeros(count):
    return np.zeros(count, dtype=np.int64)


@st.composite
def grouped(draw, least=6, largest=9):
    """The groups of rows, in any order, and two or more classes."""
    sizes = draw(st.lists(st.integers(1, largest), min_size=least, max_size=30))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return groups, rng.integers(draw(st.integers(1, 4)), size=len(groups))


@given(grouped(), st.sampled_from(SHARES), st.integers(0, 2**40))
def test_no_group_is_in_two_sets(rows, shares, seed):
    groups, strata = rows
    try:
        sets = assign_sets(RowKeys(strata, groups), shares, seed)
    except InputError as error:
        assert max(np.bincount(groups)) > max(shares) * len(groups), error
        return
    assert set(sets) == set(range(len(shares)))  # each row in one, and none is empty
    assert len(np.unique(np.stack([groups, sets]), axis=1)[0]) == groups.max() + 1
    np.testing.assert_array_equal(sets, assign_sets(RowKeys(strata, groups), shares, seed))


@given(grouped(least=12, largest=4), st.sampled_from(SHARES), st.integers(0, 2**40))
def test_sets_of_groups_have_their_shares_to_within_one_group(rows, shares, seed):
    groups, _ = rows
    sets = assign_sets(RowKeys(zeros(len(groups)), groups), shares, seed)
    sizes = np.bincount(sets, minlength=len(shares))
    assert np.abs(sizes - np.multiply(shares, len(groups))).max() <= np.bincount(groups).max()


def test_another_seed_is_another_split_of_groups():
    """Also where no two groups are of one size, and the largest come first."""
    groups = np.repeat(np.arange(20), np.arange(20, 40))
    found = {
        tuple(assign_sets(RowKeys(zeros(len(groups)), groups), (0.8, 0.2), s)) for s in range(4)
    }
    assert len(found) == 4


def unevenness(strata, sets):
    """The largest difference of a class's share between a set and all rows."""
    whole = np.bincount(strata) / len(strata)
    parts = [np.bincount(strata[sets == n], minlength=len(whole)) for n in np.unique(sets)]
    return max(np.abs(part / part.sum() - whole).max() for part in parts)


def test_groups_and_classes_together_are_as_even_as_scikit_learns(rng):
    ours, theirs, plain = [], [], []
    for seed in range(20):
        groups = np.sort(rng.integers(60, size=600))
        groups = np.unique(groups, return_inverse=True)[1]
        strata = (rng.random(600) < rng.random(groups.max() + 1)[groups] ** 3).astype(np.int64)
        reference = np.empty(600, dtype=np.int64)
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for number, (_, dev) in enumerate(folds.split(groups, strata, groups)):
            reference[dev] = number
        keys = RowKeys(strata, groups)
        found = np.array([fold_masks(keys, 5, fold, seed)[1] for fold in range(5)]).argmax(axis=0)
        without = assign_sets(RowKeys(zeros(600), groups), [0.2] * 5, seed)
        for scores, sets in ((ours, found), (theirs, reference), (plain, without)):
            scores.append(unevenness(strata, sets))
    assert np.mean(ours) < 1.2 * np.mean(theirs) < np.mean(plain)


@given(grouped(), st.integers(2, 6), st.integers(0, 2**40))
def test_folds_of_groups_are_as_scikit_learns(rows, folds, seed):
    groups, strata = rows
    dev = [fold_masks(RowKeys(strata, groups), folds, fold, seed) for fold in range(folds)]
    assert (np.sum([d for _, d in dev], axis=0) == 1).all()
    for train, each in dev:
        np.testing.assert_array_equal(train, ~each)
        assert each.any() and not set(groups[each]) & set(groups[train])
    alone = [
        fold_masks(RowKeys(zeros(len(groups)), groups), folds, n, seed)[1].sum()
        for n in range(folds)
    ]
    theirs = [len(d) for _, d in GroupKFold(folds).split(groups, groups=groups)]
    assert max(alone) <= max(theirs) + np.bincount(groups).max()


@given(st.integers(7, 60), st.integers(2, 6), st.integers(0, 99))
def test_folds_in_time_order_are_scikit_learns(count, folds, seed):
    times = np.random.default_rng(seed).permutation(count)
    rows = np.argsort(times)
    for fold, (train, dev) in enumerate(TimeSeriesSplit(folds).split(rows)):
        ours = fold_masks(RowKeys(zeros(count), times=times), folds, fold, seed)
        assert set(np.flatnonzero(ours[0])) == set(rows[train])
        assert set(np.flatnonzero(ours[1])) == set(rows[dev])


@given(st.lists(st.integers(1, 9), min_size=7, max_size=20), st.integers(2, 6))
def test_rows_of_one_time_are_in_one_set(sizes, folds):
    times = np.repeat(np.arange(len(sizes)), sizes)
    for fold in range(folds):
        train, dev = fold_masks(RowKeys(zeros(len(times)), times=times), folds, fold, 0)
        assert train.any() and dev.any() and times[train].max() < times[dev].min()
    try:
        sets = assign_sets(RowKeys(zeros(len(times)), times=times), (0.6, 0.2, 0.2), 0)
    except InputError as error:
        assert "set is empty" in str(error)
        return
    assert (np.diff(sets) >= 0).all()
    assert len(np.unique(np.stack([times, sets]), axis=1)[0]) == len(sizes)


def test_times_that_differ_are_cut_at_the_shares():
    times = np.random.default_rng(0).permutation(50)
    sets = assign_sets(RowKeys(np.arange(50) % 3, times=times), (0.6, 0.2, 0.2), 0)
    np.testing.assert_array_equal(sets[np.argsort(times)], np.repeat([0, 1, 2], [30, 10, 10]))


def test_a_class_of_two_rows():
    strata = np.array([0] * 9 + [1] * 9 + [2] * 2)
    sets = assign_sets(RowKeys(strata), (0.6, 0.2, 0.2), 0)
    assert sorted(sets[strata == 2]) == [0, 1]
    assert np.bincount(sets[strata == 0]).tolist() == [5, 2, 2]


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([30], r"group: 1 groups can't be in 3 sets\. .* fewer sets\."),
        ([5, 5], r"group: 2 groups can't be in 3 sets\. .*"),
        (
            [61, 20, 19],
            r"group: a group has 61 of 100 examples, and the largest set of split "
            r"\[0\.6, 0\.2, 0\.2\] about 60\. Give that set a larger share, .*",
        ),
    ],
)
def test_groups_that_fit_in_no_split(sizes, said):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    with pytest.raises(InputError, match=said):
        assign_sets(RowKeys(zeros(len(groups)), groups), (0.6, 0.2, 0.2), 0)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            RowKeys(zeros(4)),
            r"folds must be <= 4, the number of examples in train and dev\. .* 5\.",
        ),
        (RowKeys(zeros(9), np.arange(9) % 3), r"folds must be <= 3, the number of groups .*"),
        (RowKeys(zeros(9), times=np.arange(9) % 4), r"folds must be <= 3, one less than the .*"),
    ],
)
def test_more_folds_than_can_be(keys, said):
    with pytest.raises(InputError, match=said):
        fold_masks(keys, 5, 0, 0)
