"""The three sets: stratified, disjoint, complete, and the same for the same seed (course 6.2)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfcourse import InputError
from tfcourse.data.splits import Part, Split, joined, stratified_split

FRACTIONS = [(0.6, 0.2, 0.2), (0.5, 0.25, 0.25), (0.34, 0.33, 0.33), (0.1, 0.1, 0.8)]


def numbered(y):
    """Examples that hold their own number."""
    y = np.asarray(y, np.int64)
    return Part(np.arange(len(y), dtype=np.float32)[:, None], y)


def rows(part):
    return [int(x) for x in part.x[:, 0]]


def parts(split):
    return split.train, split.dev, split.test


@st.composite
def labelled(draw):
    """Labels 0 … C-1 in any order, of 10 to 40 examples a class."""
    counts = draw(st.lists(st.integers(10, 40), min_size=2, max_size=5))
    y = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(draw(st.integers(0, 99))).permutation(y), counts


@given(labelled(), st.sampled_from(FRACTIONS), st.integers(0, 2**40))
def test_every_example_is_in_one_set_with_its_label(labels, fractions, seed):
    y, counts = labels
    split = stratified_split(numbered(y), fractions, len(counts), seed)
    assert sorted(row for part in parts(split) for row in rows(part)) == list(range(len(y)))
    for part in parts(split):
        np.testing.assert_array_equal(part.y, y[rows(part)])
    assert split.classes == len(counts)


@given(labelled(), st.sampled_from(FRACTIONS), st.integers(0, 2**40))
def test_every_class_has_its_share_in_every_set_to_within_one_example(labels, fractions, seed):
    y, counts = labels
    split = stratified_split(numbered(y), fractions, len(counts), seed)
    for part, fraction in zip(parts(split), fractions, strict=True):
        found = np.bincount(part.y, minlength=len(counts))
        assert (np.abs(found - fraction * np.array(counts)) <= 1).all()


def test_exact_shares_are_dealt_exactly():
    split = stratified_split(numbered(np.arange(1000) % 10), (0.6, 0.2, 0.2), 10, 0)
    for part, each in zip(parts(split), (60, 20, 20), strict=True):
        assert np.bincount(part.y).tolist() == [each] * 10


Y = np.arange(90) % 3


def test_it_depends_on_the_labels_and_the_seed_alone():
    first, again, other = (stratified_split(numbered(Y), (0.6, 0.2, 0.2), 3, s) for s in (0, 0, 1))
    np.random.seed(1)
    turned = Part(-numbered(Y).x, Y)
    same_labels = stratified_split(turned, (0.6, 0.2, 0.2), 3, 0)
    for a, b, c, d in zip(*map(parts, (first, again, other, same_labels)), strict=True):
        assert rows(a) == rows(b) == [-row for row in rows(d)]
        assert rows(a) != rows(c)


def test_the_examples_of_a_class_do_not_depend_on_the_other_classes():
    """Class 1 renamed to class 2, and class 2 gone: class 0 is dealt as it was."""
    with_all = stratified_split(numbered(Y), (0.6, 0.2, 0.2), 3, 0)
    with_two = stratified_split(numbered(np.minimum(Y, 1)), (0.6, 0.2, 0.2), 2, 0)
    for a, b in zip(parts(with_all), parts(with_two), strict=True):
        assert [r for r in rows(a) if Y[r] == 0] == [r for r in rows(b) if Y[r] == 0]


def test_the_sets_are_not_the_beginning_the_middle_and_the_end():
    split = stratified_split(numbered(Y), (0.6, 0.2, 0.2), 3, 0)
    assert rows(split.train) != list(range(len(split.train.y)))
    assert all(rows(part) == sorted(rows(part)) for part in parts(split))


@pytest.mark.parametrize(
    ("fractions", "empty"),
    [((0.001, 0.5, 0.499), "train"), ((0.9, 0.001, 0.099), "dev"), ((0.5, 0.499, 0.001), "test")],
)
def test_an_empty_set_is_an_error(fractions, empty):
    with pytest.raises(InputError, match=rf"split: the {empty} set is empty\. Received: .*of 90"):
        stratified_split(numbered(Y), fractions, 3, 0)


def test_a_part_of_several_inputs_is_selected_and_joined_row_by_row():
    rows = np.arange(6)
    x = {"image": rows[:, None] * 10.0, "table": rows[:, None] + [0.5, 0.25]}
    part = Part(x, {"price": rows, "kind": rows % 2}, {"price": rows / 6})
    even, odd = part.rows(rows % 2 == 0), part.rows(slice(1, None, 2))
    both = joined(odd, even)
    assert (even.count, odd.count, both.count) == (3, 3, 6)
    order = [1, 3, 5, 0, 2, 4]
    np.testing.assert_array_equal(both.x["image"], x["image"][order])
    np.testing.assert_array_equal(both.x["table"], x["table"][order])
    np.testing.assert_array_equal(both.y["kind"], (rows % 2)[order])
    np.testing.assert_array_equal(both.weight["price"], (rows / 6)[order])


def test_a_split_without_a_test_set_has_two_parts():
    part = Part(np.ones((4, 3)), np.arange(4))
    split = Split(part, part.rows(slice(2)), None, 4)
    assert list(split.parts) == ["train", "dev"]
    doubled = split.map(lambda part: Part(part.x * 2, part.y))
    assert doubled.test is None
    np.testing.assert_array_equal(doubled.dev.x, np.full((2, 3), 2.0))
    assert Split(Part({"a": np.ones((4, 3)), "b": np.ones(4)}, part.y), part, None, 4).shape == {
        "a": (3,),
        "b": (),
    }
