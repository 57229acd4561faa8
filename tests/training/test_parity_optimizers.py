"""`fit` gives ``model.fit``'s numbers to the last bit, whatever the optimizer does."""

import inspect

import keras
import pytest
import tensorflow as tf

from tests.training.parity import (
    FEATURES,
    assert_same,
    assert_same_variables,
    both,
    compiled,
    examples,
    keras_fit,
    network,
)
from tfcourse import Adam, GradientDescent, Momentum, RMSprop, SoftmaxHead, fit
from tfcourse.formulas.averages import bias_correction

layers, optimizers, schedules = keras.layers, keras.optimizers, keras.optimizers.schedules


def two_optimizers():
    """One optimizer for kernels, another for the rest."""
    kernels, rest = optimizers.Adam(0.01), optimizers.SGD(0.1)
    return optimizers.MultiOptimizer(lambda v: kernels if "kernel" in v.path else rest)


OPTIMIZERS = {
    **{
        name: lambda cls=cls: cls(0.01)
        for name, cls in inspect.getmembers(optimizers, inspect.isclass)
        if issubclass(cls, optimizers.Optimizer) and cls is not optimizers.Optimizer
    },
    "LossScaleOptimizer": lambda: optimizers.LossScaleOptimizer(
        optimizers.Adam(0.01), initial_scale=1024.0, dynamic_growth_steps=4
    ),
    "MultiOptimizer": two_optimizers,
    "SGD, Nesterov": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "RMSprop, centered": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "Adam, amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True),
    "our GradientDescent": lambda: GradientDescent(0.1),
    "our Momentum": lambda: Momentum(0.1),
    "our RMSprop": lambda: RMSprop(0.01),
    "our Adam": lambda: Adam(0.01),
}


def test_every_optimizer_of_keras_is_here():
    """A positive control: the list is made of what Keras has."""
    assert {"SGD", "Adam", "AdamW", "Ftrl", "Lion", "Muon", "Nadam"} <= set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(name):
    def make():
        model = network(optimizer=OPTIMIZERS[name]())
        # Before, because Keras's ScheduleFreeAdamW assigns to its momentum in build. Left to
        # model.fit that becomes a part of every step; `fit` builds it outside of the steps.
        model.optimizer.build(model.trainable_variables)
        return model

    assert_same(both(make, examples(), epochs=3))


OPTIONS = {
    "clipnorm": {"clipnorm": 0.05},
    "clipvalue": {"clipvalue": 0.01},
    "global_clipnorm": {"global_clipnorm": 0.1},
    "weight decay": {"weight_decay": 0.1},
    "EMA": {"use_ema": True, "ema_momentum": 0.9},
    "EMA written back": {"use_ema": True, "ema_overwrite_frequency": 3},
    "gradient accumulation": {"gradient_accumulation_steps": 2},
    "a loss scale": {"loss_scale_factor": 8.0},
}
OURS_TOO = ["global_clipnorm", "EMA written back", "gradient accumulation"]


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [(optimizers.Adam, name) for name in OPTIONS] + [(Adam, name) for name in OURS_TOO],
    ids=[f"Keras's, {name}" for name in OPTIONS] + [f"ours, {name}" for name in OURS_TOO],
)
def test_every_option(optimizer, name):
    assert_same(both(lambda: network(optimizer=optimizer(0.01, **OPTIONS[name])), examples()))


class OneOverStep(schedules.LearningRateSchedule):
    """A schedule of one's own."""

    def __call__(self, step):
        return 0.1 / (1 + keras.ops.cast(step, "float32"))


SCHEDULES = {
    "exponential": lambda: schedules.ExponentialDecay(0.1, 2, 0.9),
    "piecewise": lambda: schedules.PiecewiseConstantDecay([2, 5], [0.1, 0.01, 0.001]),
    "polynomial": lambda: schedules.PolynomialDecay(0.1, 4, power=2, cycle=True),
    "inverse time": lambda: schedules.InverseTimeDecay(0.1, 3, 0.5, staircase=True),
    "cosine": lambda: schedules.CosineDecay(0.0, 4, warmup_target=0.1, warmup_steps=3),
    "cosine restarts": lambda: schedules.CosineDecayRestarts(0.1, 3),
    "one's own": OneOverStep,
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule(name):
    # Keras's optimizer and ours in turn: both take a schedule by the same base class.
    optimizer = [Momentum, optimizers.SGD][list(SCHEDULES).index(name) % 2]
    assert_same(both(lambda: network(optimizer=optimizer(SCHEDULES[name]())), examples()))


@pytest.mark.parametrize("optimizer", [Momentum, optimizers.Adam])
def test_sparse_gradients_of_an_embedding(optimizer):
    def make():
        words = layers.Lambda(lambda x: keras.ops.cast(keras.ops.abs(x) * 4, "int32"))
        return network(words, layers.Embedding(30, 3), layers.Flatten(), optimizer=optimizer(0.05))

    assert_same(both(make, examples()))


@pytest.mark.parametrize("optimizer", [Adam, optimizers.AdamW])
def test_all_options_at_once(optimizer):
    """Together within 1e-6: the graph optimizer may take sums in another order.

    Where this was written it did not: the difference was 0.
    """

    def make():
        options = {name: value for each in OPTIONS.values() for name, value in each.items()}
        del options["clipnorm"], options["clipvalue"]  # only one way to clip is allowed
        return network(optimizer=optimizer(schedules.CosineDecay(0.1, 12), **options))

    assert_same(both(make, examples(), epochs=3), tolerance=1e-6)


def test_the_learning_rate_may_be_changed_between_two_calls():
    trained = []
    for train, own in ((keras_fit, {}), (fit, {"jit_compile": False})):
        keras.utils.set_random_seed(7)
        model = compiled(
            keras.Sequential([keras.Input((FEATURES,)), SoftmaxHead(3)]), Momentum(0.1)
        )
        for rate in (0.1, 0.01):
            model.optimizer.learning_rate = rate
            train(model, *examples(), verbose=0, shuffle=False, **own)
        trained.append(model)
    assert_same_variables(*trained)


class TwoSteps(keras.Sequential):
    """Two steps of the optimizer for each batch, each with a correction of its own."""

    def train_step(self, data):
        x, y = data
        for _ in range(2):
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


class OwnSteps(optimizers.Adam):
    """An Adam that changes what Keras's does."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(2 * gradient, variable, learning_rate / 2)


class OwnUpdate(optimizers.Adam):
    """An Adam that changes all gradients at once."""

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        grads = [2 * gradient for gradient in grads]
        super()._backend_update_step(grads, trainable_variables, learning_rate)


def with_tensor(learning_rate):
    """An Adam whose β₁ is no number."""
    optimizer = optimizers.Adam(learning_rate)
    optimizer.beta_1 = tf.constant(0.8)
    return optimizer


@pytest.mark.parametrize(
    "make", [optimizers.Adam, optimizers.AdamW, OwnSteps, OwnUpdate, with_tensor]
)
def test_adam_in_a_step_of_ones_own(make):
    def model():
        result = TwoSteps([keras.Input((FEATURES,)), layers.Dense(4), SoftmaxHead(3)])
        return compiled(result, make(0.01), metrics=None)

    assert_same(both(model, examples()))


def test_adam_of_sparse_gradients_and_of_several_types():
    def model():
        inputs = keras.Input((FEATURES,))
        x = layers.Embedding(9, 4)(keras.ops.cast(abs(inputs), "int32"))
        x = layers.Dense(4, dtype="float64")(layers.Flatten()(x))
        x = layers.Dense(3, "softmax", dtype="float32")(layers.Dense(4, dtype="bfloat16")(x))
        return compiled(keras.Model(inputs, x), optimizers.Adam(0.01, clipnorm=1.0))

    assert_same(both(model, examples()))


def test_the_correction_of_adam_is_computed_once(monkeypatch):
    """The powers of β₁ and β₂, of which Keras computes two for each of the six weights."""
    powers = []

    def counted(beta, step):
        powers.append(bias_correction(beta, step))
        return powers[-1]

    monkeypatch.setattr("tfcourse.training.programs.adam_update.bias_correction", counted)
    body = layers.Dense(4), layers.Dense(4)
    fit(network(*body, optimizer=optimizers.Adam()), *examples(), jit_compile=False, verbose=0)
    assert len(powers) == 2
