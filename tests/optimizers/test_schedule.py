"""`TrainingSchedule`: its parameters are variables, in every optimizer and every kind of file."""

import warnings
from contextlib import suppress

import keras
import numpy as np
import pytest

from tests.reference import schedules as reference
from tfcourse import (
    Adam,
    GradientDescent,
    NonFiniteLossError,
    SoftmaxHead,
    fit,
    fit_population,
    load_model,
)
from tfcourse.hyperparameters import SCHEDULES
from tfcourse.models.saving import save_model
from tfcourse.optimizers.schedule import TrainingSchedule
from tfcourse.training.population.member import Member

STEPS, OF_EPOCH = 12, 4


@pytest.fixture
def data(rng):
    return rng.normal(size=(32, 4)).astype("float32"), rng.integers(0, 3, 32)


def linear(optimizer):
    model = keras.Sequential([keras.Input((4,)), SoftmaxHead(3)])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def schedule(kind="cosine", rate=0.5):
    return TrainingSchedule(rate, kind, STEPS, OF_EPOCH, warmup=0.25, decay_rate=0.5)


@pytest.mark.parametrize("optimizer", [GradientDescent, keras.optimizers.SGD])
@pytest.mark.parametrize("kind", SCHEDULES)
def test_each_step_has_its_rate(data, optimizer, kind):
    """Against the steps taken one by one with the numbers of the reference."""
    x, y = data
    model, by_hand = linear(optimizer(schedule(kind))), linear(keras.optimizers.SGD(1.0))
    by_hand.set_weights(model.get_weights())
    by_hand.run_eagerly = True  # there is nothing to trace for so few steps
    fit(model, x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    for step in range(STEPS):
        by_hand.optimizer.learning_rate = reference.rate(
            step, 0.5, kind, STEPS, OF_EPOCH, 0.25, 0.5
        )
        rows = slice(step % OF_EPOCH * 8, step % OF_EPOCH * 8 + 8)
        by_hand.train_on_batch(x[rows], y[rows])
    for own, expected in zip(model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(own, expected, atol=1e-6)


@pytest.mark.parametrize("optimizer", [Adam, keras.optimizers.AdamW])
def test_a_saved_model_goes_on_and_plain_keras_loads_it_with_the_largest_rate(
    data, tmp_path, optimizer
):
    model = linear(optimizer(schedule()))
    fit(model, *data, batch_size=8, verbose=0)
    save_model(model, tmp_path / "model.keras")
    own, plain = (load(tmp_path / "model.keras") for load in (load_model, keras.saving.load_model))
    assert own.optimizer.get_config() == model.optimizer.get_config()
    assert own.optimizer.iterations == OF_EPOCH
    assert float(own.optimizer.learning_rate) == float(model.optimizer.learning_rate)
    assert type(plain.optimizer).__module__.startswith("keras.")
    assert float(plain.optimizer.learning_rate) == 0.5


def test_a_rollback_halves_the_largest_rate(rng):
    x = rng.normal(size=(64, 6)).astype("float32")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8), keras.layers.Dense(1)])
    model.compile(GradientDescent(TrainingSchedule(1000.0, "linear", 16, 4)), "mse")
    with (
        pytest.warns(UserWarning) as warned,
        pytest.raises(NonFiniteLossError, match=r"after 3 rollbacks, at learning rate 125\."),
    ):
        fit(model, x, x[:, :1], batch_size=16, epochs=4, verbose=0, on_nan="rollback")
    assert "learning rate 500 instead of 1000" in str(warned[0].message)
    assert model.optimizer.get_config()["learning_rate"]["config"]["learning_rate"] == 125


def test_a_resumed_training_has_the_rate_after_a_rollback(rng, tmp_path):
    x = rng.normal(size=(64, 6)).astype("float32")
    options = {"batch_size": 16, "epochs": 6, "verbose": 0, "on_nan": "rollback", "seed": 1}

    def train(*callbacks, **more):
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
        model.compile(GradientDescent(TrainingSchedule(10.0, "linear", 24, 4)), "mse")
        with warnings.catch_warnings(record=True) as issued:
            warnings.simplefilter("always")
            with suppress(KeyboardInterrupt):
                fit(model, x, x[:, :1], callbacks=[*callbacks], **options, **more)
        texts = [str(w.message) for w in issued]
        return model, sum("instead of" in text for text in texts)

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 4:
                raise KeyboardInterrupt

    undisturbed, rollbacks = train()
    assert rollbacks
    train(Interrupt(), checkpoint_dir=tmp_path)
    resumed, again = train(checkpoint_dir=tmp_path)
    assert again < rollbacks
    for own, expected in zip(resumed.get_weights(), undisturbed.get_weights(), strict=True):
        np.testing.assert_array_equal(own, expected)


def test_members_have_schedules_of_their_own(data):
    model, x, y = linear(GradientDescent(schedule())), *data
    kinds = [{"schedule": kind, "learning_rate": 0.1, "warmup": 0.5} for kind in SCHEDULES]
    members = [Member(7, values) for values in kinds]
    options = {"batch_size": 8, "epochs": 3, "verbose": 0}
    trained = fit_population(model, members, x, y, keep="last", **options)
    assert trained.traces == 1
    for index, values in enumerate(kinds):
        keras.utils.set_random_seed(7)
        alone = linear(
            GradientDescent(TrainingSchedule(0.1, values["schedule"], STEPS, OF_EPOCH, 0.5, 0.5))
        )
        fit(alone, x, y, seed=7, **options)
        for own, expected in zip(trained.weights(index), alone.get_weights(), strict=True):
            np.testing.assert_allclose(own, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"schedule": "cosin"}, 'must be one of "constant", "cosine".*Did you mean "cosine"?'),
        ({"warmup": 1.0}, r"warmup must be a number in \[0, 1\). Received: 1.0"),
        ({"decay_rate": -1}, "decay_rate must be a number >= 0. Received: -1"),
        ({"steps": 0}, "steps must be a whole number >= 1. Received: 0"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=f"TrainingSchedule: .*{message}"):
        TrainingSchedule(0.1, **arguments)
