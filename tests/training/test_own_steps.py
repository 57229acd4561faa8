"""A model with steps of its own, and all the state that it may keep where Keras doesn't look."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.parity import BATCH, CLASSES, assert_same, both, examples, small
from tfcourse import InputError, NonFiniteLossError, evaluate, fit, predict
from tfcourse.training.programs.own_state import own_state
from tfcourse.training.programs.state import state_variables

layers = keras.layers


class Two(keras.Model):
    """Two parts with an optimizer each, no ``call``, and state of every kind.

    The metric makes its variables at its first update, the optimizers at their first step.
    """

    def __init__(self):
        super().__init__()
        self.parts = [layers.Dense(4, "tanh"), layers.Dense(CLASSES, "softmax")]
        self.score = keras.metrics.F1Score(average="macro", name="score")
        self.steps = [tf.Variable(0.0, trainable=False)]
        self.noise = tf.random.Generator.from_seed(1)
        self.calls = 0

    def compile(self, optimizers, **kwargs):
        super().compile(**kwargs)
        self.optimizers = optimizers

    def outputs(self, x):
        return self.parts[1](self.parts[0](x))

    def train_step(self, data):
        self.calls += 1
        x, y = data
        y = tf.one_hot(y, CLASSES)
        with tf.GradientTape(persistent=True) as tape:
            outputs = self.outputs(x + 0.1 * self.noise.normal(tf.shape(x)))
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(y, outputs))
        for part, optimizer in zip(self.parts, self.optimizers.values(), strict=True):
            weights = part.trainable_variables
            optimizer.apply(tape.gradient(loss, weights), weights)
        self.score.update_state(y, outputs)
        self.steps[0].assign_add(1.0)
        return {"loss": loss, "score": self.score.result(), "steps": self.steps[0] + 0.0}

    def test_step(self, data):
        x, y = data
        self.score.update_state(tf.one_hot(y, CLASSES), self.outputs(x))
        return {"score": self.score.result()}


def two(**kwargs):
    model = Two()
    rates = {"first": 0.1, "second": 0.03}
    model.compile({name: keras.optimizers.Adam(r) for name, r in rates.items()}, **kwargs)
    return model


def state(model):
    return [variable.value.numpy() for variable in state_variables(model)]


@pytest.mark.parametrize("options", [{}, {"run_eagerly": True}], ids=["graph", "eager"])
def test_the_numbers_are_those_of_model_fit(options):
    runs = both(lambda: two(**options), examples(), epochs=3, validation_data=examples())
    assert_same(runs)
    theirs, ours = (run.model for run in runs)
    assert len(state(ours)) == len(state(theirs)) > 20
    for a, b in zip(state(ours), state(theirs), strict=True):
        np.testing.assert_array_equal(a, b)


class Decoder(keras.Model):
    """Is called on other inputs than its data."""

    def __init__(self):
        super().__init__()
        self.encode, self.decode = layers.Dense(2), layers.Dense(6)

    def call(self, code):
        return self.decode(tf.ensure_shape(code, (None, 2)))

    def train_step(self, data):
        x, _ = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.decode(self.encode(x)) - x) ** 2)
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"error": loss}


def decoder():
    model = Decoder()
    model.compile(keras.optimizers.Adam(0.1))
    return model


def test_a_model_that_is_called_on_other_inputs_than_its_data():
    assert_same(both(decoder, examples()))


def test_the_second_call_traces_nothing():
    model, calls = two(), []
    for _ in range(2):
        fit(model, *examples(), BATCH, verbose=0)
        calls.append(model.calls)
    # On symbols; in the program, whose first step tells what the others give.
    assert calls == [3, 3]


def test_the_paths_of_plain_variables():
    paths = {variable.path.split("/", 1)[1] for variable in own_state(two(), False)}
    assert {"steps[0]", "noise"} <= paths


class TestResume:
    def trained(self, seed, epochs, folder=None, **kwargs):
        keras.utils.set_random_seed(seed)
        model = two(**kwargs)
        history = fit(
            model, *examples(), BATCH, epochs, 0, validation_data=examples(), seed=3,
            checkpoint_dir=folder,
        )  # fmt: skip
        return history.history, state(model)

    def test_it_ends_as_if_it_had_not_been_interrupted(self, tmp_path):
        expected, values = self.trained(1, epochs=4)
        self.trained(1, epochs=2, folder=tmp_path)
        history, found = self.trained(2, epochs=4, folder=tmp_path)
        assert history == expected
        for a, b in zip(found, values, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_what_makes_its_variables_in_its_first_step_alone_is_refused(self, tmp_path):
        """As where Python runs each step: one on symbols would run it once too often."""
        self.trained(1, epochs=1, folder=tmp_path, run_eagerly=True)
        with pytest.raises(InputError, match=r"holds \d+ variables, the model has \d+ before its "):
            self.trained(1, epochs=2, folder=tmp_path, run_eagerly=True)


def test_a_loss_that_is_not_finite_leaves_no_trace_in_any_optimizer():
    x, y = examples()
    x[2 * BATCH] = np.inf
    model = two()
    with pytest.raises(NonFiniteLossError) as caught:
        fit(model, x, y, BATCH, verbose=0, shuffle=False, check_data=False)
    assert caught.value.batch == 2
    assert float(model.steps[0]) == int(model.optimizers["second"].iterations) == 2
    assert all(np.isfinite(value).all() for value in state(model))


def given_steps():
    """A model whose steps are given to itself, not to its class."""
    model = small()
    train, test = model.train_step, model.test_step

    def with_double(self, data):
        logs = train(data)
        return {"loss": logs["loss"], "double": 2 * logs["loss"]}

    model.train_step = types.MethodType(with_double, model)
    model.test_step = lambda data: {"half": test(data)["loss"] / 2}
    return model


def test_steps_that_are_given_to_the_model_itself():
    runs = both(given_steps, examples(), validation_data=examples())
    assert_same(runs)
    assert list(runs[1].history.history) == ["double", "loss", "val_half"]


class OwnLoop(keras.Sequential):
    """Doubles what its loops give."""

    def make_train_function(self, force=False):
        super().make_train_function(force)

    def make_test_function(self, force=False):
        super().make_test_function(force)

    def make_predict_function(self, force=False):
        super().make_predict_function(force)
        function = self.predict_function
        self.predict_function = lambda batches: 2 * function(batches)


def test_loops_of_the_models_own():
    x, y = examples()
    model = OwnLoop([layers.Dense(CLASSES, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(
        InputError, match=r"has its own make_train_function, .* Call model\.fit, or"
    ):
        fit(model, x, y, verbose=0)
    with pytest.raises(
        InputError, match=r"its own make_test_function, .* Call model\.evaluate, or"
    ):
        evaluate(model, x, y, verbose=0)
    half = small()
    half.make_test_function = model.make_test_function
    with pytest.raises(InputError, match=r"has its own make_test_function, .* Call model\.fit, or"):
        fit(half, x, y, verbose=0, validation_data=(x, y))
    model.build(x.shape)
    # In one batch: kernels may add up its last rows in another order.
    np.testing.assert_array_equal(predict(model, x, len(x), verbose=0), 2 * model(x))
