"""Train, train-dev, dev and test of two distributions (course 6.3, 6.5)."""

import re
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfcourse import InputError
from tfcourse.strategy import split_with_train_dev


def numbered(count, first, classes=2):
    """Examples that hold their own number."""
    return np.arange(first, first + count)[:, None], np.arange(count) % classes


@given(
    st.sampled_from([(0.1, 0.5, 0.5), (0.25, 0.25, 0.25), (0.5, 0.4, 0)]),
    st.integers(40, 90),
    st.integers(40, 90),
    st.integers(0, 2**40),
)
def test_every_example_is_in_one_set_of_its_distribution(shares, of_source, of_target, seed):
    train_dev, dev, test = shares
    source, target = numbered(of_source, 0), numbered(of_target, 1000)
    split = split_with_train_dev(source, target, train_dev=train_dev, dev=dev, test=test, seed=seed)
    numbers = [x[:, 0].tolist() for x, _ in split]
    assert sorted(chain(*numbers)) == [*range(of_source), *range(1000, 1000 + of_target)]
    assert all(part == sorted(part) for part in numbers)  # in the order of the data
    assert min(numbers[2] + numbers[3]) >= 1000  # dev and test are of the target alone
    for x, y in split:
        np.testing.assert_array_equal(y, (x[:, 0] % 1000) % 2)
        # Within a class of a distribution every share is exact to rounding.
        assert abs((y == 0).sum() - (y == 1).sum()) <= 4
    assert abs(len(numbers[2]) - dev * of_target) <= 2
    assert abs(len(numbers[3]) - test * of_target) <= 2
    pool = of_source + (1 - dev - test) * of_target
    assert abs(len(numbers[1]) - train_dev * pool) <= 4


def test_the_seed_alone_decides():
    data = numbered(50, 0), numbered(50, 1000)
    one, two, other = (split_with_train_dev(*data, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.train_dev[0], two.train_dev[0])
    assert one.dev[0].tolist() != other.dev[0].tolist()


def test_distributions_and_classes_are_drawn_for_themselves():
    """Of equal data, different rows are chosen."""
    split = split_with_train_dev(numbered(40, 0), numbered(40, 0), train_dev=0.5, seed=1)
    # Both are the first half of their distribution's permutation.
    assert split.dev[0].tolist() != split.train[0].tolist()
    even, odd = ([r // 2 for r in split.dev[0][:, 0] if r % 2 == parity] for parity in (0, 1))
    assert even != odd


@pytest.mark.parametrize("kind", ["rows", "texts"])
def test_other_targets(kind):
    y = (
        np.array(["cat", "dog"] * 20)
        if kind == "texts"
        else np.random.default_rng(0).random((40, 2))
    )
    split = split_with_train_dev((np.zeros((40, 3)), y), (np.zeros((40, 3)), y), train_dev=0.2)
    assert [len(x) for x, _ in split] == [32, 8, 20, 20]
    if kind == "texts":
        assert (split.dev[1] == "cat").sum() == 10


X, Y = np.zeros((10, 3)), np.zeros(10, int)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"train_dev": 0}, "train_dev must be a share between 0 and 1. Received: 0."),
        ({"dev": 1.2}, "dev must be a share between 0 and 1. Received: 1.2."),
        ({"seed": -1}, "seed must be a whole number >= 0. Received: -1."),
        ({"dev": 0.7}, "at most 1 in sum. Received: dev=0.7, test=0.5."),
        ({"source": X}, "source must be (x, y). Received: ndarray."),
        ({"source": (X, Y[:4])}, "one y for each of at least one x. Received: shapes (10, 3) and"),
        ({"source": (X[:, :2], Y)}, "x of source and target must have the same shape"),
        ({"target": (X, np.array(["a"] * 10))}, "y of source and target must both be numbers, or"),
        ({"target": (X, np.array(["a", None] * 5))}, "y of target must be labels of one type"),
        ({"train_dev": 0.01}, "the train_dev set is empty. Received: 10 source and 10 target"),
    ],
)
def test_errors(arguments, text):
    with pytest.raises(InputError, match=re.escape(text)):
        split_with_train_dev(**{"source": (X, Y), "target": (X, Y), **arguments})
