"""The hyperparameters that can be changed: which of a model, and that they read as set."""

import keras
import numpy as np
import pytest

from tests.babysit.trainings import build
from tfcourse import Adam, Momentum, RMSprop
from tfcourse.babysit.adjustable import AdjustableHyperparameters
from tfcourse.layers.dropout import Dropout
from tfcourse.optimizers.schedule import TrainingSchedule

ADAM = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}


@pytest.mark.parametrize(
    ("optimizer", "values"),
    [
        (Adam(), ADAM),
        (Momentum(0.1, momentum=0.99), {"learning_rate": 0.1, "momentum": 0.99}),
        (RMSprop(0.3), {"learning_rate": 0.3, "rho": 0.9, "epsilon": 1e-8}),
        (keras.optimizers.AdamW(0.003), {"learning_rate": 0.003}),
        (keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)), {}),
        (keras.optimizers.LossScaleOptimizer(Adam()), ADAM),
        (
            Adam(TrainingSchedule(0.01, "inverse_time", decay_rate=0.5)),
            {**ADAM, "learning_rate": 0.01, "warmup": 0.0, "decay_rate": 0.5},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_of_an_optimizer(optimizer, values):
    adjustable = AdjustableHyperparameters(build(optimizer, rate=0.0))
    assert adjustable.read() == values


def test_what_is_set_is_read():
    model = build(Adam(TrainingSchedule(0.01)))
    adjustable = AdjustableHyperparameters(model)
    values = {
        "learning_rate": 0.3, "warmup": 0.1, "decay_rate": 2.0, "beta_1": 0.95, "beta_2": 0.9999,
        "epsilon": 1e-7, "dropout": 0.25,
    }  # fmt: skip
    adjustable.assign(values)
    assert adjustable.read() == values
    assert (model.optimizer.beta_1, model.layers[3].rate) == (0.95, 0.25)
    adjustable.restore({**values, "beta_1": 0.5, "dropout": 0.75})
    assert adjustable.read() == {**values, "dropout": 0.75}


def test_a_rate_is_read_as_it_was_written_though_its_variable_is_float32():
    model = build(keras.optimizers.SGD(0.001))
    adjustable = AdjustableHyperparameters(model)
    for rate in (0.001, 1e-7, 0.1 + 0.2, 12345.678):
        adjustable.assign({"learning_rate": rate})
        read = adjustable.read()["learning_rate"]
        assert np.float32(read) == np.float32(rate)
        assert len(repr(read)) <= 12


def test_layers_of_several_rates_are_left_alone():
    layers = [keras.Input((3,)), Dropout(0.1), Dropout(0.2), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.5), "mse")
    adjustable = AdjustableHyperparameters(model)
    assert adjustable.read() == {"learning_rate": 0.5}
    adjustable.restore({"learning_rate": 0.1})
    assert [layer.rate for layer in model.layers[:2]] == [0.1, 0.2]
