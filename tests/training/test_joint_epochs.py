"""Several epochs in one call of the program: the numbers and errors are those of one call each."""

import functools

import keras
import numpy as np
import pytest

from tests.training.parity import assert_same_variables
from tests.training.test_non_finite import first_step_with_nan, linear, state, train
from tfcourse import BatchNorm, NonFiniteLossError, fit
from tfcourse.training import joint_epochs
from tfcourse.training.programs.model_programs import train_program

layers = keras.layers


@pytest.fixture(autouse=True)
def two_epochs_a_call(monkeypatch):
    monkeypatch.setattr(joint_epochs, "MOST_EPOCHS", 2)


@pytest.fixture
def data(rng):
    x = rng.normal(size=(75, 6)).astype("float32")
    return x, x @ rng.normal(size=(6, 1)).astype("float32")


@pytest.fixture
def full(data):
    """Full batches alone: XLA compiles a step for each size of a batch."""
    return [part[:64] for part in data]


def network(*body):
    """A compiled stack of layers, by default with averages and draws, and a layer of one unit."""
    keras.utils.set_random_seed(1)
    body = body or (BatchNorm(), layers.Dropout(0.4))
    model = keras.Sequential([keras.Input((6,)), *body, layers.Dense(1)])
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9), "mse", metrics=["mae"], jit_compile=True
    )
    return model


def is_together(model, guarded=True):
    program = train_program(model, False, jit_compile=True, guarded=guarded)
    return bool(program._epochs.function.experimental_get_tracing_count())


OPTIONS = {"batch_size": 16, "epochs": 5, "shuffle": False, "verbose": 0}


@functools.cache
def trained_by_keras(rows):
    """A model after its training on some rows, and the history."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(75, 6)).astype("float32")
    y = x @ rng.normal(size=(6, 1)).astype("float32")
    data = x[:rows], y[:rows]
    model = network()
    return data, model, model.fit(*data, **OPTIONS)


@pytest.mark.parametrize(("rows", "on_nan"), [(43, "stop"), (43, "ignore"), (32, "stop")])
def test_three_calls_for_five_epochs(rows, on_nan):
    """Two batches of 16, and one of 11 or none."""
    data, theirs, expected = trained_by_keras(rows)
    ours = network()
    history = fit(ours, *data, jit_compile=True, on_nan=on_nan, **OPTIONS)
    assert is_together(ours, on_nan == "stop")
    assert history.history == expected.history
    assert history.epoch == expected.epoch
    assert_same_variables(ours, theirs)


def test_the_orders_are_those_of_one_call_each(data):
    options = {"epochs": 3, "seed": 2, "verbose": 0, "jit_compile": True, "initial_epoch": 1}
    together, alone = network(), network()
    history = fit(together, *data, **options)
    expected = fit(alone, *data, callbacks=[keras.callbacks.Callback()], **options)
    assert is_together(together)
    assert not is_together(alone)
    assert history.history == expected.history
    assert_same_variables(together, alone)


def test_a_loss_that_is_not_finite_ends_at_its_batch(data):
    rates = keras.optimizers.schedules.PiecewiseConstantDecay([6], [0.01, 1e30])
    step, before = first_step_with_nan(*data, rates)
    assert step == 8, "batch 4 of epoch 2, the second epoch of a call"
    model = linear(rates)
    with pytest.raises(NonFiniteLossError, match="epoch 2, batch 4") as caught:
        train(model, *data, jit_compile=True)
    assert (caught.value.epoch, caught.value.batch) == (1, 3)
    assert model.history.epoch == [0]
    for ours, theirs in zip(state(model), before, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3)


def test_a_rollback_goes_to_the_begin_of_an_epoch(data):
    model = linear(0.01)
    train(model, *data, jit_compile=True, on_nan="rollback")
    assert not is_together(model)


def test_a_new_model_of_the_structure_uses_the_trace(full):
    options = {"epochs": 4, "seed": 2, "verbose": 0, "jit_compile": True}
    models, histories = [network(), network()], []
    for model in models:
        histories.append(fit(model, *full, **options).history)
    assert [is_together(model) for model in models] == [True, False]
    assert histories[0] == histories[1]
    assert_same_variables(*models)


class Fixed(keras.metrics.MeanSquaredError):
    """A metric whose result is a number of Python's."""

    def result(self):
        return 0.5


def test_a_result_may_be_a_number_of_pythons(full):
    model = network(layers.Dense(2))
    model.compile("sgd", "mse", metrics=[Fixed(name="fixed")], jit_compile=True)
    history = fit(model, *full, epochs=3, verbose=0, jit_compile=True).history
    assert is_together(model)
    assert history["fixed"] == [0.5] * 3


class Doubled(keras.metrics.MeanSquaredError):
    """A metric whose reset is not Keras's."""

    def reset_state(self):
        super().reset_state()
        self.total.assign(1.0)


def test_a_reset_of_the_users_own_runs_between_epochs(full):
    theirs, ours = network(), network()
    for model in (theirs, ours):
        model.compile("sgd", "mse", metrics=[Doubled()], jit_compile=True)
    options = {"epochs": 3, "shuffle": False, "verbose": 0}
    expected = theirs.fit(*full, **options)
    history = fit(ours, *full, jit_compile=True, **options)
    assert not is_together(ours)
    for name, values in expected.history.items():  # Keras builds its metrics after the first reset
        assert history.history[name][1:] == values[1:]
