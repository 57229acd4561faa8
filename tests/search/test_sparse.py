"""A sparse x trains the same trials as the dense one, and never becomes dense as a whole."""

import re
import resource

import keras
import numpy as np
import pytest
import scipy.sparse

import tfcourse
from tests.search.conftest import RATE
from tfcourse import InputError
from tfcourse.data.sparse import MOST_BYTES, SparseRows, sparse_rows
from tfcourse.search.data.loading import load_split
from tfcourse.search.store.data_record import data_record

X = scipy.sparse.random(120, 30, 0.2, format="csr", dtype="float32", random_state=0)
Y = (np.asarray(X[:, :15].sum(axis=1)) > np.asarray(X[:, 15:].sum(axis=1))).astype(int)
W = np.arange(120) % 3


def search_of(folder, x=X, **settings):
    data = settings.pop("data", (x, Y, W))
    settings = {"epochs": 2, "batch_size": 32, "build": "linear", **settings}
    settings = {"optimizer": "gradient_descent", **settings}
    return tfcourse.Search(out=folder, data=data, space=RATE, trials=2, **settings)


def test_the_trials_are_those_of_the_dense_array(tmp_path):
    results = [
        search_of(tmp_path, x, name=name, folds=2, objective="val_loss").run(verbose=False)
        for name, x in (("sparse", scipy.sparse.coo_array(X)), ("dense", X.toarray()))
    ]
    for one, other in zip(*(result.trials.values() for result in results), strict=True):
        for name, values in one.history.items():
            # The dev set is read in smaller batches, whose sums round otherwise.
            rtol = 1e-6 if name.startswith("val_") else 0
            np.testing.assert_allclose(values, other.history[name], rtol, err_msg=name)
    sparse, dense = results
    assert sparse.summary.test == pytest.approx(dense.summary.test, rel=1e-6)
    predictions = [r.best_model().predict(X.toarray(), verbose=0) for r in results]
    np.testing.assert_allclose(*predictions, rtol=1e-6)


def test_beside_other_inputs(tmp_path):
    """One of two inputs is sparse, and so is the batch of none."""

    def build(input_shape, classes):
        inputs = {name: keras.Input(shape, name=name) for name, shape in input_shape.items()}
        joined = keras.layers.Concatenate()([*inputs.values()])
        return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(joined))

    dense = X.toarray()
    x = {"words": X, "size": dense.sum(axis=1)}
    settings = {"build": build, "epochs": 1}
    histories = [
        search_of(tmp_path, {**x, "words": words}, name=name, **settings).run(verbose=False).best
        for name, words in (("sparse", X), ("dense", dense))
    ]
    for name, values in histories[0].history.items():
        np.testing.assert_allclose(values, histories[1].history[name], 1e-6, err_msg=name)


def test_the_record_is_of_the_numbers(tmp_path):
    digest = data_record(load_split(search_of(tmp_path).config))["sha256"]
    assert data_record(load_split(search_of(tmp_path, X.tocsc()).config))["sha256"] == digest
    other = X.copy()
    other.data[3] += 1
    assert data_record(load_split(search_of(tmp_path, other).config))["sha256"] != digest


def test_rows_are_those_of_an_array():
    rows, dense = sparse_rows(X, "x"), X.toarray()
    mask = W == 1
    for which in (slice(3, 9), np.array([5, 2, 2]), mask):
        np.testing.assert_array_equal(np.asarray(rows[which]), dense[which])
    joined = np.concatenate([rows[:4], rows[mask]])
    np.testing.assert_array_equal(np.asarray(joined), np.concatenate([dense[:4], dense[mask]]))
    assert (rows.shape, rows.ndim, len(rows), rows.dtype) == ((120, 30), 2, 120, np.float32)


def test_a_large_matrix_is_never_dense():
    """Its rows are, and the whole is refused with the remedy."""
    count = MOST_BYTES // 4 // 1000 + 1
    rows = SparseRows(scipy.sparse.csr_array((count, 1000), dtype="float32"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"of 1\.0 GiB\. A search trains it without; .*Truncated"):
        np.asarray(rows)
    assert np.asarray(rows[:3]).shape == (3, 1000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


NAN = X.copy()
NAN.data[0] = np.nan
ERRORS = {
    "normalized": ({"normalize": "standardize"}, r".*normalize = 'standardize' would make a sp.*"),
    "a population": ({"caviar": "population"}, r".*caviar = \"population\" needs dense arrays .*"),
    "NaN": ({"x": NAN}, r".*x of data holds 1 values that are not finite in float32\. .*"),
    "lengths": ({"data": (X, Y[:9])}, r".*data must be .* shapes \(120, 30\) and \(9, 1\)\."),
    "complex": ({"x": X.astype(complex)}, r".*x of data must be a sparse matrix of numbers .*"),
    "sparse targets": (
        {"data": (X, scipy.sparse.csr_array(Y))},
        r".*y of data is a SciPy sparse.*",
    ),
}


@pytest.mark.parametrize(("settings", "said"), ERRORS.values(), ids=ERRORS)
def test_what_needs_a_dense_array_is_refused_at_construction(tmp_path, settings, said):
    with pytest.raises(InputError) as caught:
        search_of(tmp_path, **settings)
    assert re.fullmatch(said, str(caught.value)), str(caught.value)
