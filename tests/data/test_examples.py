"""Several inputs and outputs, by their names."""

import numpy as np
import pytest

from tfcourse import InputError
from tfcourse.data.examples import check_examples
from tfcourse.data.sources import load

X = {
    "ids": np.arange(12).reshape(6, 2),
    "image": np.arange(24.0).reshape(6, 2, 2, 1),
    "size": np.arange(6.0),
}
Y = {"price": np.arange(6) / 2, "kind": np.array([0, 1, 2, 0, 1, 2])}
KINDS = {"price": True, "kind": False}


def test_each_input_and_output_keeps_its_shape_and_kind():
    part, classes = check_examples(X, Y, "data", KINDS)
    shapes = {name: (array.shape, str(array.dtype)) for name, array in part.x.items()}
    assert shapes == {
        "ids": ((6, 2), "int32"),
        "image": ((6, 2, 2, 1), "float32"),
        "size": ((6, 1), "float32"),
    }
    for name, array in X.items():
        np.testing.assert_array_equal(part.x[name].reshape(array.shape), array)
    assert classes == {"price": 1, "kind": 3}
    assert {name: str(array.dtype) for name, array in part.y.items()} == {
        "price": "float32",
        "kind": "int64",
    }
    np.testing.assert_array_equal(part.y["price"], Y["price"][:, None])


def test_several_inputs_of_one_output():
    part, classes = check_examples(X, Y["kind"], "data")
    assert ({*part.x}, classes) == ({*X}, 3)
    np.testing.assert_array_equal(part.y, Y["kind"])


def test_one_input_of_several_outputs():
    part, _ = check_examples(X["ids"], Y, "data", KINDS)
    assert part.x.dtype == np.float32  # as with one output
    np.testing.assert_array_equal(part.x, X["ids"])


def test_ids_that_need_more_than_32_bits_stay_whole():
    part, _ = check_examples({"ids": np.array([[1], [2**40]])}, np.array([0, 1]), "data")
    np.testing.assert_array_equal(part.x["ids"], [[1], [2**40]])
    assert part.x["ids"].dtype == np.int64


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ({**X, "ids": X["ids"][:3]}, Y, 'Received: x["ids"] 3, x["image"] 6, x["size"] 6'),
        ({}, Y, "x must hold at least one of its inputs. Received: {}."),
        ({3: X["ids"]}, Y, "the keys of x must be the names of inputs. Received: 3."),
        ({"": X["ids"]}, Y, "the keys of x must be the names of inputs. Received: ''."),
        (X, {"kind": list("abcdef")}, 'y["kind"] must be numbers, with at least one example.'),
        (X, {"kind": Y["kind"] + 1}, 'the labels y["kind"] must be 0, 1, … C-1'),
        (X, {"kind": np.eye(3)[Y["kind"]]}, 'give y["kind"].argmax(axis=1)'),
        ({"size": [1.0, np.nan] * 3}, Y, 'x["size"] holds 3 values that are not finite'),
    ],
)
def test_what_is_wrong_is_named(x, y, words):
    with pytest.raises(InputError) as caught:
        check_examples(x, y, "data", {name: KINDS[name] for name in y})
    assert words in str(caught.value)


@pytest.mark.parametrize("factor", [10**15, 10**300, -1])
def test_labels_that_are_too_large_to_count(factor):
    labels = np.arange(6) % 3 * float(factor)
    with pytest.raises(InputError, match=r"the labels y must be 0, 1, … C-1, each of at least 2"):
        check_examples(np.ones((6, 2)), labels, "data", numbers=False)


def test_a_file_has_them_by_the_names_of_its_arrays(tmp_path):
    path = tmp_path / "data.npz"
    arrays = {f"x.{name}": array for name, array in X.items()}
    np.savez(path, **arrays, **{f"y.{name}": array for name, array in Y.items()}, w=np.arange(6))
    examples = load("npz", path, numbers=KINDS, apart={"sample_weight": "w"})
    assert examples.outputs == {"price": 1, "kind": 3}
    for name, array in X.items():
        np.testing.assert_array_equal(examples.part.x[name].reshape(array.shape), array)
    np.testing.assert_array_equal(examples.apart["w"], np.arange(6))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": X["ids"], "x.ids": X["ids"]}, "must hold x, or x.NAME for each of several"),
        ({"x_ids": X["ids"]}, "Received: x_ids, y. Write x_ids as x.ids."),
    ],
)
def test_a_file_with_other_names(tmp_path, arrays, said):
    np.savez(tmp_path / "data.npz", **arrays, y=Y["kind"])
    with pytest.raises(InputError) as caught:
        load("npz", tmp_path / "data.npz")
    assert said in str(caught.value)
