"""Builders of models for the tests of reuse; classes and globals as a user's module has them."""

import keras
import numpy as np
import tensorflow as tf

from tfcourse import Adam, BatchNorm, SoftmaxHead
from tfcourse.training.fit import fit
from tfcourse.training.reuse.seeding import set_seed

layers = keras.layers
ROWS, CLASSES = 36, 3
SHAPE = (8, 8, 1)


def examples():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, *SHAPE)).astype("float32")
    return x, (x.mean((1, 2, 3)) > 0).astype("int64") + (x[:, 0, 0, 0] > 0.5)


X, Y = (tf.constant(part) for part in examples())


def stack(*body):
    """A model of layers, with a softmax of three classes on top."""
    return keras.Sequential([keras.Input(SHAPE), *body, layers.Flatten(), SoftmaxHead(CLASSES)])


def build(make, seed, compile_arguments=None, **hyperparameters):
    """A compiled model whose weights come from the seed."""
    set_seed(seed)
    model = make()
    arguments = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    hyperparameters = {"learning_rate": 0.01, **hyperparameters}
    model.compile(Adam(**hyperparameters), **{**arguments, **(compile_arguments or {})})
    return model


def train(model, seed=0, batch_size=16, epochs=2):
    """A short training; what it came to: the history and all weights."""
    validation = (X[:10], Y[:10])
    history = fit(
        model, X, Y, batch_size=batch_size, epochs=epochs, verbose=0, seed=seed,
        validation_data=validation, jit_compile=False, on_nan="ignore",
    ).history  # fmt: skip
    return history, model.get_weights()


def same(these, those):
    """Whether two trainings came to the same, bit for bit."""
    (history, weights), (other_history, other_weights) = these, those
    return history == other_history and all(
        np.array_equal(a, b) for a, b in zip(weights, other_weights, strict=True)
    )


def lend(pool, make, seed, batch_size=16, **arguments):
    """One training of a pool's."""
    return pool.train(
        lambda: build(make, seed, **arguments),
        lambda model: train(model, seed, batch_size),
        (X[:batch_size], Y[:batch_size]),
    )


def alone(make, seed, batch_size=16, **arguments):
    """The same training of a model of its own."""
    return train(build(make, seed, **arguments), seed, batch_size)


def convnet():
    return stack(
        layers.Conv2D(3, 3), BatchNorm(), layers.ReLU(), layers.MaxPooling2D(), layers.Dropout(0.3)
    )


def noisy():
    return stack(
        layers.RandomFlip(), layers.GaussianNoise(0.1), layers.SpatialDropout2D(0.2),
        layers.BatchNormalization(), layers.Conv2D(2, 3, kernel_initializer="he_normal"),
    )  # fmt: skip


def recurrent():
    return stack(layers.Reshape((8, 8)), layers.LSTM(4, dropout=0.2, recurrent_dropout=0.1))


def functional():
    inputs = keras.Input(SHAPE)
    flat = layers.Flatten()(inputs)
    left, right = layers.Dense(5, "relu")(flat), layers.Dense(5, "tanh")(flat)
    both = keras.ops.concatenate([left * 2.0, right], -1)
    return keras.Model(inputs, SoftmaxHead(CLASSES)(layers.Dropout(0.4)(both)))


@keras.saving.register_keras_serializable(package="reuse_tests")
class Scaled(layers.Layer):
    """A layer of one's own: a weight, a number and a list of numbers."""

    def __init__(self, factor=1.0, powers=(1, 2), **kwargs):
        super().__init__(**kwargs)
        self.factor, self.powers = factor, list(powers)

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="glorot_uniform")

    def call(self, x):
        return self.factor * sum(x**power for power in self.powers) * self.scale

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "powers": self.powers}


class OwnStep(keras.Model):
    """A subclass with a step, metrics and random numbers of its own.

    The second metric makes its variables at its first update.
    """

    def __init__(self):
        super().__init__()
        self.hidden = [layers.Dense(4, "relu"), layers.Dropout(0.3)]
        self.flat, self.head = layers.Flatten(), SoftmaxHead(CLASSES)
        self.seeds = keras.random.SeedGenerator()
        self.norm = keras.metrics.Mean(name="norm")
        self.score = keras.metrics.F1Score(average="macro", name="score")

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
            loss = self.compute_loss(x, y, predicted, training=True)
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        self.norm.update_state(tf.linalg.global_norm(gradients))
        self.score.update_state(tf.one_hot(y, CLASSES), predicted)
        return {**self.compute_metrics(x, y, predicted), "norm": self.norm.result()}


def with_own_layer(factor=1.5):
    return stack(Scaled(factor), layers.Conv2D(2, 3))


MODELS = {
    "convnet": convnet,
    "noisy": noisy,
    "recurrent": recurrent,
    "functional": functional,
    "subclassed": OwnStep,
    "own_layer": with_own_layer,
}


# What keeps state that no variable of the model holds.


class Calls(layers.Layer):
    """Counts its calls in Python: another trace would hold another number."""

    calls_so_far = 0

    def call(self, x):
        self.calls = getattr(self, "calls", 0) + 1
        return x * float(self.calls)


class OwnGenerator(layers.Layer):
    def __init__(self):
        super().__init__()
        self.generator = np.random.default_rng(0)

    def call(self, x):
        return x + self.generator.normal()


class Untracked(layers.Layer):
    def __init__(self):
        super().__init__()
        self.total = tf.Variable(0.0, trainable=False)

    def call(self, x):
        return x + self.total.assign_add(0.01)


class FromInitializer(layers.Layer):
    """Draws a constant from an initializer's seed, when it is traced."""

    def __init__(self):
        super().__init__()
        self.initializer = keras.initializers.RandomNormal()

    def call(self, x):
        return x + self.initializer(SHAPE)


GENERATOR = {"tensorflow": tf.random.Generator.from_seed(0)}["tensorflow"]


def lambda_of(function):
    return lambda: stack(layers.Lambda(function, output_shape=SHAPE), layers.Dense(2))


UNSAFE = {
    "counts its calls": (Calls, "its layers change their own attributes when they are called"),
    "a generator of NumPy's": (OwnGenerator, '"generator" is a numpy.random'),
    "a variable that is no weight": (Untracked, '"total" is a tensorflow.*ResourceVariable'),
    "a constant drawn in the call": (FromInitializer, "a seed that is part of the program"),
    "TensorFlow's global generator": (
        lambda: layers.Lambda(lambda x: x + tf.random.normal(SHAPE), output_shape=SHAPE),
        "keeps state in a RandomStandardNormal operation",
    ),
    "Keras's global generator": (
        lambda: layers.Lambda(lambda x: x + keras.random.normal(SHAPE), output_shape=SHAPE),
        "a variable or resource that is none of the model's",
    ),
    "NumPy's global generator": (
        lambda: layers.Lambda(lambda x: x + np.random.normal(), output_shape=SHAPE),
        "draws from Python's or NumPy's global generator",
    ),
    "a global of a type of its own": (
        lambda: layers.Lambda(lambda x: x + GENERATOR.normal(SHAPE), output_shape=SHAPE),
        '"GENERATOR".* is a tensorflow',
    ),
    "Python code in the program": (
        lambda: layers.Lambda(
            lambda x: tf.ensure_shape(tf.numpy_function(lambda a: a, [x], tf.float32), x.shape),
            output_shape=SHAPE,
        ),
        "keeps state in a PyFunc operation",
    ),
}  # fmt: skip
