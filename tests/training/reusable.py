"""Builders of models of library layers, and the trainings that the tests of reuse compare."""

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
    """Return a model of layers, with a softmax of three classes on top."""
    return keras.Sequential([keras.Input(SHAPE), *body, layers.Flatten(), SoftmaxHead(CLASSES)])


def build(make, seed, compile_arguments=None, **hyperparameters):
    """Return a compiled model whose weights come from the seed."""
    set_seed(seed)
    model = make()
    arguments = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    hyperparameters = {"learning_rate": 0.01, **hyperparameters}
    model.compile(Adam(**hyperparameters), **{**arguments, **(compile_arguments or {})})
    return model


def train(model, seed=0, batch_size=16, epochs=2):
    """Return the history and all weights of a short training."""
    validation = (X[:10], Y[:10])
    history = fit(
        model, X, Y, batch_size=batch_size, epochs=epochs, verbose=0, seed=seed,
        validation_data=validation, jit_compile=False, on_nan="ignore",
    ).history  # fmt: skip
    return history, model.get_weights()


def same(these, those):
    """Return whether the results of two trainings are equal, bit for bit."""
    (history, weights), (other_history, other_weights) = these, those
    return history == other_history and all(
        np.array_equal(a, b) for a, b in zip(weights, other_weights, strict=True)
    )


def lend(pool, make, seed, batch_size=16, **arguments):
    """Train with a pool; return the trained model, and its history and weights."""
    return pool.train(
        lambda: build(make, seed, **arguments),
        lambda model: train(model, seed, batch_size),
        (X[:batch_size], Y[:batch_size]),
    )


def alone(make, seed, batch_size=16, **arguments):
    """Return the result of the same training without a pool."""
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


MODELS = {
    "convnet": convnet,
    "noisy": noisy,
    "recurrent": recurrent,
    "functional": functional,
}
