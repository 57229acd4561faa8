"""Tables of pandas as arrays: the columns' own values, and what is wrong with a column."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from tfcourse import InputError
from tfcourse.data.frames import as_array, as_examples

WHOLE, REAL, FLAG = [3, 1, 2], [0.5, -1.25, 2.0], [True, False, True]
COLUMNS = {
    "int64": (WHOLE, "int64"),
    "float64": (REAL, "float64"),
    "float32": (REAL, "float32"),
    "bool": (FLAG, "bool"),
    "Int64": (WHOLE, "Int64"),
    "Float64": (REAL, "Float64"),
    "boolean": (FLAG, "boolean"),
    "sparse": (WHOLE, pd.SparseDtype("int64", 1)),
    "categories": (WHOLE, "category"),
    "Python objects": (WHOLE, "object"),
}


def column(name):
    values, dtype = COLUMNS[name]
    return pd.Series(values, dtype=dtype)


@pytest.mark.parametrize("other", COLUMNS)
@pytest.mark.parametrize("name", ["int64", "float64", "bool", "Int64"])
def test_columns_of_any_two_number_types(name, other):
    # Neither the labels of the rows nor those of the columns matter, even if they repeat.
    frame = pd.concat([column(name), column(other)], axis=1)
    frame.index, frame.columns = [2.0, 2.0, 0.0], ["a", "a"]
    array = as_array(frame, "x")
    np.testing.assert_array_equal(array, np.stack([COLUMNS[name][0], COLUMNS[other][0]], 1))
    assert array.dtype.kind in "bif"


@pytest.mark.parametrize("name", COLUMNS)
def test_a_series(name):
    array = as_array(column(name), "y")
    np.testing.assert_array_equal(array, COLUMNS[name][0])
    assert array.dtype.kind in "bif"
    np.testing.assert_array_equal(as_examples(column(name), "y"), array[:, None])


def test_whole_numbers_keep_every_digit():
    large = 2**53 + 1
    frame = pd.DataFrame({"a": pd.array([large, 1], dtype="Int64"), "b": [True, False]})
    assert as_array(frame, "x")[0, 0] == large


def test_text_alone_stays_text():
    np.testing.assert_array_equal(as_array(pd.Series(["u", "v"]), "x"), ["u", "v"])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pd.array([1, None, 3], "Int64"), "type Int64 and lacks a value in 1 of 3 rows, first at "
         "index 1. Fill the values (fillna) or drop the rows (dropna)."),
        (pd.array([None, True, None], "boolean"), "type boolean and lacks a value in 2 of 3 rows, "
         "first at index 0."),
        (pd.Categorical([1, None, 2]), "type category and lacks a value in 1 of 3 rows, first at "
         "index 1."),
        (["m", "f", "m"], "but must hold numbers. Encode it, as with pandas.get_dummies, or drop "),
        (pd.Categorical(["m", "f", "m"]), "but must hold numbers. Encode it, as with "),
        (pd.date_range("2024-01-01", periods=3), "but must hold numbers. Make numbers of it, such "
         "as the days since a date: (column - date).dt.days."),
        ([1 + 2j, 3, [4]], "type object, but must hold numbers. Encode"),
    ],
    ids=["Int64", "boolean", "categories missing", "text", "categories", "dates", "objects"],
)  # fmt: skip
def test_a_column_that_holds_no_numbers(values, said):
    frame = pd.DataFrame({"age": REAL, "sex": values})
    with pytest.raises(InputError, match=f"^x of data: the column 'sex' is .*{re.escape(said)}"):
        as_array(frame, "x of data")


def test_a_sparse_matrix_is_refused():
    said = r"x is a SciPy sparse matrix of shape \(2, 2\), .* with \.toarray\(\)\."
    with pytest.raises(InputError, match=said):
        as_array(scipy.sparse.eye(2, format="csr"), "x")


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64"])
def test_whole_numbers_that_merge_beside_a_column_of_floats(dtype):
    large = pd.Series([2**60, 2**60 + 1, 2**60 + 2], dtype=dtype)
    frame = pd.DataFrame({"id": large, "size": REAL})
    said = (
        r"x: the column 'id' holds whole numbers above 2\*\*53, of which float64 keeps 1 of 3 apart"
    )
    with pytest.raises(InputError, match=said):
        as_array(frame, "x")
    np.testing.assert_array_equal(as_array(frame[["id"]], "x")[:, 0], large.to_numpy("uint64"))
    apart = pd.DataFrame({"id": [2**53 - 1, 2**53 - 2, 2**53], "size": REAL})
    np.testing.assert_array_equal(as_array(apart, "x")[:, 0], apart["id"])
