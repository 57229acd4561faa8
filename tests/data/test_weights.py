"""Weights of examples, as an array or by output."""

import numpy as np
import pytest

from tfcourse import InputError
from tfcourse.data.weights import check_weight

Y = {"price": np.zeros((3, 1)), "kind": np.array([0, 1, 1])}


@pytest.mark.parametrize("weight", [[0, 1, 2], [[0.0], [1.0], [2.0]], np.array([0, 1, 2], "uint8")])
def test_one_number_for_each_example(weight):
    checked = check_weight(weight, Y, "data")
    np.testing.assert_array_equal(checked, [0, 1, 2])
    assert checked.dtype == np.float32


def test_outputs_without_weights_weigh_one():
    checked = check_weight({"kind": [0, 1, 2]}, Y, "data")
    np.testing.assert_array_equal(checked["kind"], [0, 1, 2])
    np.testing.assert_array_equal(checked["price"], [1, 1, 1])


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ([1, 2], "must be one number for each of the 3 examples. Received: shape (2,) of int64"),
        (["a", "b", "c"], "Received: shape (3,) of <U1"),
        ([1, np.nan, np.inf], "must be finite and >= 0. Received: nan in row 1, and 2 such in all"),
        ([1, 2, -1], "must be finite and >= 0. Received: -1 in row 2"),
        ([0, 0, 0], "sample_weight is 0 in all 3 examples"),
        ({"kind": [1, 2]}, 'sample_weight["kind"] must be one number for each'),
        ({"size": [1, 2, 3]}, "must be in y: price, kind. Received: size."),
        ({}, "Received: nothing."),
    ],
)
def test_wrong_weights_are_refused(weight, words):
    with pytest.raises(InputError) as caught:
        check_weight(weight, Y, "data")
    assert words in str(caught.value)


def test_names_are_for_several_outputs():
    with pytest.raises(InputError, match="in y, which is no dict here"):
        check_weight({"kind": [1, 2, 3]}, Y["kind"], "data")
