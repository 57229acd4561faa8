"""Models with layers, functions and objects of a user's own, as a user's module has them.

Each entry of `PAIRS` takes a number. With another number, the model has the same configs, names
and shapes in most of them, and computes something else.
"""

import functools
import types

import keras
import numpy as np
import tensorflow as tf

from tests.training.reusable import CLASSES, SHAPE, stack
from tfcourse import SoftmaxHead

layers = keras.layers


@keras.saving.register_keras_serializable(package="reuse_tests")
class Scaled(layers.Layer):
    """A layer with a weight, a number and a list of numbers, of which its config has one."""

    def __init__(self, factor=1.0, powers=(1, 2), **kwargs):
        super().__init__(**kwargs)
        self.factor, self.powers = factor, list(powers)

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="glorot_uniform")

    def call(self, x):
        return self.factor * sum(x**power for power in self.powers) * self.scale

    def get_config(self):
        return {**super().get_config(), "powers": self.powers}


class OwnStep(keras.Model):
    """A subclass with a step, a metric and random numbers of its own."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor
        self.hidden = [layers.Dense(4, "relu"), layers.Dropout(0.3)]
        self.flat, self.head = layers.Flatten(), SoftmaxHead(CLASSES)
        self.seeds = keras.random.SeedGenerator()
        self.norm = keras.metrics.Mean(name="norm")

    def call(self, x, training=None):
        x = self.flat(x)
        if training:
            x += keras.random.normal(tf.shape(x), stddev=0.1, seed=self.seeds)
        for layer in self.hidden:
            x = layer(x)
        return self.head(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.factor * self.compute_loss(x, y, predicted, training=True)
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        self.norm.update_state(tf.linalg.global_norm(gradients))
        return {**self.compute_metrics(x, y, predicted), "norm": self.norm.result()}


class Attribute(layers.Layer):
    """Multiplies by an attribute of any name, also of one that Keras gives its models."""

    def __init__(self, name, value):
        super().__init__()
        self.factor = name
        setattr(self, name, value)

    def call(self, x):
        return x * getattr(self, self.factor)


class Calls(layers.Layer):
    """Counts its calls in Python: another trace would have another number."""

    calls = 0

    def call(self, x):
        self.calls += 1
        return x * float(self.calls)


class Squares:
    """A regularizer that is no class of Keras's."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, weight):
        return self.factor * keras.ops.sum(weight**2)


class Configured(Squares):
    """The same, with a config that lacks its number."""

    def get_config(self):
        return {}


class OwnRegularizer(keras.regularizers.Regularizer):
    """One that is a class of Keras's, with a config that lacks its number."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, weight):
        return self.factor * keras.ops.sum(weight**2)

    def get_config(self):
        return {}


class Times(keras.Operation):
    """An operation with a number that no config has."""

    def __init__(self, factor):
        super().__init__()
        self.holder = {"factor": factor}

    def call(self, x):
        return x * self.holder["factor"]

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


SETTINGS = types.ModuleType("settings")


@keras.saving.register_keras_serializable(package="reuse_tests")
def scaled_by_settings(x):
    """Reads a number from a module."""
    return x * SETTINGS.factor


def reads_settings(factor):
    SETTINGS.factor = factor
    return layers.Dense(3, activation=scaled_by_settings)


def named_relu(factor):
    """Return a function with the name and module of one of Keras's."""

    @functools.wraps(keras.activations.relu)
    def activation(x):
        return factor * x

    return activation


def patched(factor):
    layer = layers.Dense(3)
    call = layer.call
    layer.call = lambda x: call(x) * factor
    return layer


def defined_here(factor):
    class Scaled(layers.Layer):
        def call(self, x):
            return x * factor

    return Scaled()


def generator(seed):
    numbers = np.random.default_rng(int(seed))
    return layers.Lambda(lambda x: x + numbers.normal(), output_shape=SHAPE)


def graph(operation):
    """Return a builder of a functional model with an operation between its layers."""

    def make(factor):
        inputs = keras.Input(SHAPE)
        outputs = layers.Flatten()(operation(inputs, factor))
        return keras.Model(inputs, SoftmaxHead(CLASSES)(outputs))

    return make


def body(layer):
    return lambda factor: stack(layer(factor))


PAIRS = {
    "a registered layer": body(Scaled),
    "an own step": OwnStep,
    "a layer's attribute": body(lambda k: Attribute("history", k)),
    "a layer that counts its calls": body(lambda k: Calls()),
    "a class that every build defines": body(defined_here),
    "a closure in a Lambda": body(lambda k: layers.Lambda(lambda x: x * k, output_shape=SHAPE)),
    "a default in a Lambda": body(lambda k: layers.Lambda(lambda x, k=k: x, output_shape=SHAPE)),
    "a generator in a Lambda": body(generator),
    "an activation": body(lambda k: layers.Dense(3, activation=lambda x: x * k)),
    "a registered function that reads a global": body(reads_settings),
    "a function under another one's name": body(lambda k: layers.Dense(3, named_relu(k))),
    "a compiled function": body(lambda k: layers.Dense(3, tf.function(lambda x: k * x))),
    "a partial": body(
        lambda k: layers.Dense(3, functools.partial(keras.activations.elu, alpha=k))
    ),
    "a library layer's own call": body(patched),
    "an object": body(lambda k: layers.Dense(3, kernel_regularizer=Squares(k))),
    "an object with a config": body(lambda k: layers.Dense(3, kernel_regularizer=Configured(k))),
    "a regularizer": body(lambda k: layers.Dense(3, kernel_regularizer=OwnRegularizer(k))),
    "an activity regularizer": body(
        lambda k: layers.Dense(3, activity_regularizer=OwnRegularizer(k))
    ),
    "a function that an operation takes": graph(
        lambda x, k: keras.ops.map(lambda row: row * k, x)
    ),
    "a function in an operation": graph(
        lambda x, k: keras.ops.vectorized_map(lambda row: row * k, x)
    ),
    "functions in a list": graph(
        lambda x, k: keras.ops.switch(0, [lambda y: y * k, lambda y: y], x)
    ),
    "an operation": graph(lambda x, k: Times(k)(x)),
}  # fmt: skip
