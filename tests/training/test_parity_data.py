"""`fit` takes the same data as ``model.fit``, and sees the same batches of it."""

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import tensorflow as tf

from tests.training.data_forms import (
    LISTED,
    NAMED,
    STEPS,
    WEIGHTS,
    Batches,
    X,
    Y,
    generator,
    listed,
    named,
    rows,
    sgd,
    unknown,
    unlabelled,
    unlabelled_dict,
)
from tests.training.parity import (
    BATCH,
    CLASSES,
    FEATURES,
    assert_same,
    assert_same_logs,
    assert_same_variables,
    both,
    both_again,
    compiled,
    keras_fit,
    small,
    weighted,
)
from tests.training.test_parity_models import OwnStep, all_metrics, any_logs
from tfcourse import SoftmaxHead, fit

pytestmark = pytest.mark.usefixtures("kept_programs")

layers = keras.layers


def column():
    return small()


SPARSE = X * (X > 0.5)


def sparse():
    inputs = keras.Input((FEATURES,), sparse=True)
    return compiled(keras.Model(inputs, SoftmaxHead(CLASSES)(layers.Dense(3)(inputs))))


def table(dtype):
    """Numbers, a bool column and one of another type, with row labels that are no positions."""
    columns = {"a": X[:, 0].astype("float64"), "b": X[:, 1] > 0}
    columns |= {"c": pd.array(np.arange(len(X)) % 3, dtype=dtype)}
    frame = pd.DataFrame(columns | {name: X[:, i] for i, name in enumerate("def", 3)})
    return frame.set_index(np.arange(len(X))[::-1] / 2)


ARRAYS = {
    "NumPy, float64": (small, (X.astype("float64"), Y)),
    "NumPy, float16": (small, (X.astype("float16"), Y)),
    "NumPy, whole numbers": (small, ((X * 3).astype("int32"), Y.astype("uint8"))),
    "NumPy, a view": (small, (X[::-1], Y[::-1])),
    "tensors": (small, (tf.constant(X), tf.constant(Y))),
    "sparse": (sparse, (tf.sparse.from_dense(SPARSE), Y)),
    "sparse of SciPy": (sparse, (scipy.sparse.csr_matrix(SPARSE), Y)),
    "pandas": (column, (table("int8"), pd.Series(Y))),
    "pandas, nullable": (column, (table("Int64"), pd.DataFrame({"y": Y}))),
    "bool": (small, (X > 0, Y > 1)),
    "labels as a column": (column, (X, Y[:, None])),
    "no labels": (unlabelled, (X,)),
    "no labels, a dict": (unlabelled_dict, ({"a": X},)),
    "dicts": (named, NAMED),
    "lists": (listed, LISTED),
    "tuples": (listed, tuple(tuple(part) for part in LISTED)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name):
    make, data = ARRAYS[name]
    assert_same(both_again(make, data, batch_size=BATCH))


@pytest.mark.parametrize("form", ["csc", "coo"])
def test_sparse_matrices_in_another_order(form):
    """Keras fails on them: compared with the same matrix by rows."""
    by_rows = scipy.sparse.csr_matrix(SPARSE)
    by_columns = by_rows.tocsc()
    forms = iter([by_rows, by_columns if form == "csc" else by_columns.tocoo()])
    assert_same(both_again(sparse, lambda: (next(forms), Y), batch_size=BATCH))


def test_sparse_arrays_are_shuffled():
    make, data = ARRAYS["sparse"]
    in_order, shuffled = (both_again(make, data, shuffle=s)[1].history.history for s in (0, 1))
    assert in_order != shuffled


@pytest.mark.parametrize(
    "name", ["tensors", "dicts", "lists", "sparse of SciPy", "sparse", "pandas"]
)
def test_validation_split_of(name):
    make, data = ARRAYS[name]
    assert_same(both_again(make, data, batch_size=BATCH, validation_split=0.3))


DATASETS = {
    "known length": (small, lambda: rows(X, Y)),
    "no partial batch": (small, lambda: rows(X, Y, batch=25)),
    "shapes known": (small, lambda: rows(X[:64], Y[:64]).map(lambda x, y: (
        tf.ensure_shape(x, (BATCH, FEATURES)), y))),
    "shuffled once": (
        small, lambda: rows(X, Y).shuffle(5, seed=1, reshuffle_each_iteration=False)),
    "a small batch first": (small, lambda: rows(X[:3], Y[:3]).concatenate(rows(X, Y))),
    "weights": (weighted, lambda: rows(X, Y, WEIGHTS)),
    "only x in a tuple": (unlabelled, lambda: rows(X)),
    "only x": (unlabelled, lambda: tf.data.Dataset.from_tensor_slices(X).batch(BATCH)),
    "dicts": (named, lambda: rows(*NAMED)),
    "tuples": (listed, lambda: rows(*(tuple(part) for part in LISTED))),
}  # fmt: skip


@pytest.mark.parametrize("name", DATASETS)
def test_datasets(name):
    make, data = DATASETS[name]
    assert_same(both_again(make, lambda: (data(),)))


@pytest.mark.parametrize("steps", [2, 3, STEPS])
def test_steps_per_epoch_of_a_dataset_go_on_where_the_last_epoch_ended(steps):
    assert_same(both_again(small, lambda: (rows(X, Y),), epochs=4, steps_per_epoch=steps))


def without_iterations(model):
    return [v.numpy() for v in model.optimizer.variables if "iteration" not in v.path]


@pytest.mark.parametrize("steps", [None, 3])
def test_a_dataset_of_unknown_length(steps):
    """The same but for one number: at the end of the data Keras counts an iteration too many.

    Its step begins before it is known that there is no batch: the counter, which needs none, is
    raised. So an optimizer that looks at it (Adam's correction, a schedule) goes another way
    under ``model.fit``. `fit` takes the same steps as if the length were known.
    """
    arguments = {"epochs": 4, "steps_per_epoch": steps}
    theirs, ours = both_again(sgd, lambda: (unknown(rows(X, Y)),), **arguments)
    assert_same_logs(ours.history.history, theirs.history.history)
    assert_same_variables(ours.model, theirs.model)
    for a, b in zip(*map(without_iterations, (ours.model, theirs.model)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(theirs.model.optimizer.iterations) > int(ours.model.optimizer.iterations)

    if steps is None:
        theirs, _ = both_again(small, lambda: (rows(X, Y),), **arguments)
        _, ours = both(small, lambda: (unknown(rows(X, Y)),), **arguments)
        assert_same((theirs, ours))


def own_step():
    return compiled(OwnStep(all_metrics))


def test_logs_that_are_no_numbers():
    make = lambda: compiled(OwnStep(any_logs), metrics=None)  # noqa: E731
    assert_same(both(make, lambda: (rows(X, Y),)))


def test_a_step_of_ones_own_is_not_begun_without_a_batch():
    """Where a callback looks at every batch, and the length is unknown."""
    look = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    theirs, _ = both(own_step, lambda: (rows(X, Y),))
    _, ours = both(own_step, lambda: (unknown(rows(X, Y)),), callbacks=[look])
    assert_same((theirs, ours))


def test_an_epoch_never_begins_at_the_end_of_the_data():
    """Of an unknown length: Keras has an epoch without steps, and writes down a loss of 0."""
    arguments = {"epochs": 2, "steps_per_epoch": STEPS}
    theirs, ours = both(small, lambda: (unknown(rows(X, Y)),), **arguments)
    assert theirs.history.history["loss"][1] == 0
    known, _ = both_again(small, lambda: (rows(X, Y),), **arguments)
    assert_same((known, ours))


@pytest.mark.parametrize("steps", [4, 7])
def test_an_infinite_dataset(steps):
    assert_same(both_again(small, lambda: (rows(X, Y).repeat(),), steps_per_epoch=steps))


def test_the_end_of_the_data_is_told():
    for train, message in ((keras_fit, "ran out of data"), (fit, "ended after 5 of the 7 steps")):
        for data in ((X, Y), (rows(X, Y),)):
            size = {"batch_size": BATCH} if len(data) == 2 else {}
            with pytest.warns(UserWarning, match=message):
                train(small(), *data, steps_per_epoch=7, verbose=0, shuffle=False, **size)


VALIDATIONS = {
    "arrays": lambda: (X, Y),
    "arrays and weights": lambda: (X, Y, WEIGHTS),
    "lists": lambda: [X, Y],
    "tensors": lambda: (tf.constant(X), tf.constant(Y)),
    "known length": lambda: rows(X, Y),
    "unknown length": lambda: unknown(rows(X, Y)),
    "PyDataset": lambda: Batches(X, Y),
    "two workers": lambda: Batches(X, Y, workers=2),
}
ENDLESS = {
    "dataset": lambda: rows(X, Y).repeat(),
    # Keras takes batches ahead, so that which ones come later is a matter of time: all the same.
    "generator": lambda: generator(X[:BATCH], Y[:BATCH]),
}


@pytest.mark.parametrize(
    ("name", "steps"), [(n, s) for n in VALIDATIONS for s in (None, 3)] + [(n, 3) for n in ENDLESS]
)
def test_validation_data(name, steps):
    arguments = {"validation_data": {**VALIDATIONS, **ENDLESS}[name], "validation_steps": steps}
    assert_same(both_again(small, (X, Y), batch_size=25, **arguments))


@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize("steps", [2, 3, 7])
def test_steps_per_epoch_of_arrays(steps, batch_size):
    runs = both_again(small, (X, Y), steps_per_epoch=steps, batch_size=batch_size, epochs=4)
    assert_same(runs)


def one_hot():
    return small(loss="categorical_crossentropy")


LABELS = {
    "numbers": (small, Y),
    "a column": (column, Y[:, None]),
    "one-hot": (one_hot, np.eye(CLASSES, dtype="float32")[Y]),
}
FORMS = {
    "arrays": lambda y: (X, y),
    "dataset": lambda y: (rows(X, y),),
    "PyDataset": lambda y: (Batches(X, y),),
}


@pytest.mark.parametrize(
    ("labels", "form"),
    [("numbers", f) for f in FORMS]
    + [("a column", "arrays"), ("a column", "dataset"), ("one-hot", "PyDataset")],
)
def test_class_weights(labels, form):
    make, y = LABELS[labels]
    weights = {0: 0.5, 1: 1.5, 2: 3.0}
    assert_same(both_again(make, lambda: FORMS[form](y), class_weight=weights))
