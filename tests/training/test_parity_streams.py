"""`fit` takes PyDatasets and generators as ``model.fit`` does: the same batches and hooks."""

import pytest
import tensorflow as tf

from tests.training.data_forms import (
    NAMED,
    STEPS,
    WEIGHTS,
    Batches,
    Reordered,
    X,
    Y,
    generator,
    named,
    sgd,
    unlabelled,
)
from tests.training.parity import (
    assert_same,
    assert_same_logs,
    assert_same_variables,
    both_again,
    small,
    weighted,
)
from tfcourse import InputError, fit

PY_DATASETS = {
    "arrays": (small, lambda: Batches(X, Y)),
    "weights": (weighted, lambda: Batches(X, Y, WEIGHTS)),
    "only x": (unlabelled, lambda: Batches(X)),
    "dicts": (named, lambda: Batches(*NAMED)),
    "two workers": (small, lambda: Batches(X, Y, workers=2, max_queue_size=2)),
    "another order in each epoch": (small, lambda: Reordered(X, Y)),
}


@pytest.mark.parametrize("name", PY_DATASETS)
def test_py_datasets(name):
    make, data = PY_DATASETS[name]
    given = []

    def once_each():
        given.append(data())
        return (given[-1],)

    assert_same(both_again(make, once_each))
    theirs, ours = given
    assert ours.hooks == theirs.hooks == ["end", "begin", "end", "begin", "end"]


def test_none_in_the_batches_of_a_py_dataset():
    """Keras fails inside TensorFlow; of a generator it takes them."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="OptionalSpec"):
        small().fit(Batches(X, Y, None), verbose=0, shuffle=False)
    with pytest.raises(InputError, match=r"batches hold None.* Leave it out: \(x, y\) instead of"):
        fit(small(), Batches(X, Y, None), verbose=0)


def test_the_hooks_of_a_validation_data_set():
    given = []

    def validation():
        given.append(Reordered(X, Y))
        return given[-1]

    # Its order counts: batch norm does not, but the batches of 16 rows and one of 11 do.
    assert_same(both_again(small, (X, Y), validation_data=validation, validation_steps=3, epochs=3))
    theirs, ours = given
    assert ours.hooks == theirs.hooks


@pytest.mark.parametrize("workers", [1, 2])
def test_the_batches_of_a_py_dataset_are_shuffled(workers):
    """By Python's generator, which ``keras.utils.set_random_seed`` sets."""
    data = lambda: (Batches(X, Y, workers=workers),)  # noqa: E731
    runs = both_again(small, data, shuffle=True)
    assert_same(runs)
    in_order, _ = both_again(small, data)
    assert runs[0].history.history != in_order.history.history


def test_an_infinite_py_dataset():
    runs = both_again(small, lambda: (Batches(X, Y, count=None),), steps_per_epoch=3, epochs=3)
    assert_same(runs)


def test_steps_per_epoch_of_a_py_dataset():
    assert_same(both_again(small, lambda: (Batches(X, Y),), steps_per_epoch=2, epochs=4))


GENERATORS = {
    "arrays": (small, (X, Y)),
    "weights": (weighted, (X, Y, WEIGHTS)),
    "None for the weights": (small, (X, Y, None)),
    "dicts": (named, NAMED),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_generators(name):
    make, parts = GENERATORS[name]
    assert_same(both_again(make, lambda: (generator(*parts),), steps_per_epoch=4, epochs=3))


def test_a_generator_that_ends():
    """Without steps_per_epoch: later epochs get the two batches that Keras looked at, again."""
    theirs, ours = both_again(sgd, lambda: (generator(X, Y, endless=False),), epochs=3)
    assert_same_logs(ours.history.history, theirs.history.history)
    assert_same_variables(ours.model, theirs.model)
    assert int(ours.model.optimizer.iterations) == STEPS + 2 + 2
