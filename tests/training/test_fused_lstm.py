"""LSTM layers by TensorFlow's kernel for a whole sequence, against Keras's loop over the steps."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.parity import compiled
from tfcourse import SoftmaxHead, evaluate, fit
from tfcourse.internals.tensorflow import concrete_functions
from tfcourse.training.programs import fused_lstm
from tfcourse.training.programs.fused_lstm import fused_layers
from tfcourse.training.programs.model_programs import test_program as validation_program
from tfcourse.training.programs.model_programs import train_program

layers = keras.layers
SHAPE = (7, 4)


def sequential(*body):
    return keras.Sequential([keras.Input(SHAPE), *body])


def from_its_end():
    inputs = keras.Input(SHAPE)
    outputs, *state = layers.LSTM(3, return_state=True, go_backwards=True)(inputs)
    more = layers.LSTM(3, return_sequences=True)(inputs, initial_state=state)
    return keras.Model(inputs, [outputs, more, *state])


FUSED = {
    "last output": lambda: sequential(layers.LSTM(3)),
    "all outputs, dropout": lambda: sequential(layers.LSTM(3, dropout=0.4, return_sequences=True)),
    "both directions": lambda: sequential(layers.Bidirectional(layers.LSTM(3))),
    "from its end, states": from_its_end,
    "masks": lambda: sequential(layers.Masking(), layers.LSTM(3)),
}


@pytest.mark.parametrize("name", FUSED)
def test_outputs_and_gradients_are_those_of_keras(name, rng):
    keras.utils.set_random_seed(0)
    model = FUSED[name]()
    layers_by_kernel = fused_layers(model)
    assert layers_by_kernel
    for weights in model.trainable_variables:
        weights.assign(rng.normal(size=weights.shape))
    x = rng.normal(size=(5, *SHAPE)).astype("float32")
    x[1, 4:] = 0
    targets = [rng.normal(size=out.shape) for out in keras.tree.flatten(model(x))]

    def outputs_and_gradients():
        inputs = tf.constant(x)
        for variable in model.non_trainable_variables:
            variable.assign(tf.ones_like(variable))
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = keras.tree.flatten(model(inputs, training=True))
            parts = [tf.reduce_sum(o * t) for o, t in zip(outputs, targets, strict=True)]
            total = tf.add_n(parts)
        gradients = tape.gradient(total, [inputs, *(v.value for v in model.trainable_variables)])
        return [*outputs, *gradients]

    expected = outputs_and_gradients()
    with fused_lstm._by_kernel(layers_by_kernel):
        found = outputs_and_gradients()
    assert not any("inner_loop" in vars(layer) for layer in layers_by_kernel)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert (name == "masks") == all(map(np.array_equal, found, expected))


class OwnStep(keras.Model):
    def train_step(self, data):
        return super().train_step(data)


def of_own_step():
    inputs = keras.Input(SHAPE)
    return OwnStep(inputs, layers.LSTM(3)(inputs))


def penalty(call, x):
    """Return the outputs, and the mean square of their gradient."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = call(x)
        total = tf.reduce_sum(outputs)
    return outputs, tf.reduce_mean(tape.gradient(total, x) ** 2)


class PenaltyLayer(layers.Layer):
    def __init__(self):
        super().__init__()
        self.lstm = layers.LSTM(3)

    def build(self, shape):
        self.lstm.build(shape)

    def call(self, x):
        outputs, cost = penalty(self.lstm, x)
        self.add_loss(cost)
        return outputs


class PenaltyModel(keras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return tf.reduce_mean((y - y_pred) ** 2) + penalty(self, x)[1]


def of_own_loss():
    inputs = keras.Input(SHAPE)
    return PenaltyModel(inputs, layers.LSTM(3)(inputs))


def test_gradients_of_gradients_are_those_of_keras(rng):
    """TensorFlow has no gradient of the kernel's gradient."""
    x, y = rng.normal(size=(8, *SHAPE)).astype("float32"), rng.normal(size=(8, 3))
    histories = []
    for train in (keras.Model.fit, fit):
        keras.utils.set_random_seed(0)
        model = of_own_loss()
        # Keras's program would take longer to trace than its two steps take.
        model.compile("sgd", "mse", run_eagerly=train is not fit)
        history = train(model, x, y.astype("float32"), epochs=2, verbose=0, shuffle=False)
        histories.append(history.history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-6)


def test_layers_beside_one_with_a_call_of_its_own_are_computed():
    model = sequential(layers.LSTM(3, return_sequences=True), PenaltyLayer())
    assert fused_layers(model) == model.layers[:1]


@pytest.mark.parametrize(
    "make",
    [
        lambda: sequential(layers.LSTM(60)),
        lambda: sequential(layers.GRU(3)),
        lambda: sequential(layers.LSTM(3, activation="relu")),
        lambda: sequential(layers.LSTM(3, recurrent_activation="hard_sigmoid")),
        lambda: sequential(layers.LSTM(3, use_bias=False)),
        lambda: sequential(layers.LSTM(3, recurrent_dropout=0.1)),
        lambda: sequential(layers.LSTM(3, dropout=0.1, implementation=1)),
        lambda: sequential(layers.LSTM(3, dtype="mixed_bfloat16")),
        lambda: sequential(type("Own", (layers.LSTM,), {})(3)),
        lambda: sequential(PenaltyLayer()),
        of_own_step,
        of_own_loss,
    ],
)
def test_what_the_kernel_does_not_compute(make):
    assert fused_layers(make()) == []


def classifier():
    keras.utils.set_random_seed(3)
    return compiled(sequential(layers.LSTM(4), SoftmaxHead(3)))


def kernels(program):
    traces = concrete_functions(program._loop.function)
    assert len(traces) == 1
    functions = traces[0].graph.as_graph_def().library.function
    return {node.op for f in functions for node in f.node_def} & {"BlockLSTM", "BlockLSTMGrad"}


@functools.cache
def trained_by_keras():
    """The data and arguments of a training, and Keras's history."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, *SHAPE)).astype("float32"), rng.integers(0, 3, 40)
    options = {"epochs": 3, "batch_size": 16, "shuffle": False, "verbose": 0}
    options |= {"x": x, "y": y, "validation_data": (x[:20], y[:20])}
    return options, classifier().fit(**options).history


@pytest.mark.parametrize(("jit_compile", "exact"), [("auto", False), (False, True)])
def test_a_training_uses_it_where_its_numbers_may_differ(jit_compile, exact):
    options, expected = trained_by_keras()
    ours = classifier()
    history = fit(ours, jit_compile=jit_compile, **options).history
    training = train_program(ours, False, False, guarded=True, exact=exact)
    assert kernels(training) == (set() if exact else {"BlockLSTM", "BlockLSTMGrad"})
    validation = validation_program(ours, False, False, exact=exact)
    assert kernels(validation) == (set() if exact else {"BlockLSTM"})
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(history[name], expected[name], rtol=0 if exact else 1e-5)


def test_an_evaluation_is_that_of_keras_to_the_last_bit(rng):
    x, y = rng.normal(size=(40, *SHAPE)).astype("float32"), rng.integers(0, 3, 40)
    model = classifier()
    fit(model, x, y, validation_data=(x, y), verbose=0)
    assert evaluate(model, x, y, verbose=0) == model.evaluate(x, y, verbose=0)
