"""The same examples in every form that Keras takes, and models for them."""

import keras
import numpy as np
import tensorflow as tf

from tests.training.parity import BATCH, CLASSES, FEATURES, ROWS, compiled, examples, small
from tfcourse import SoftmaxHead

layers = keras.layers
X, Y = examples()
WEIGHTS = np.linspace(0, 2, ROWS, dtype="float32")
STEPS = 5  # of 16 rows, the last one of 11


class Penalized(keras.Model):
    """Needs no labels: all of its loss is its own."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, x):
        out = self.dense(x["a"] if isinstance(x, dict) else x)
        self.add_loss(keras.ops.mean(keras.ops.square(out - 1.0)))
        return out


def unlabelled():
    model = compiled(Penalized(), loss=None, metrics=None)
    model(X[:1])
    return model


def unlabelled_dict():
    model = compiled(Penalized(), loss=None, metrics=None)
    model({"a": X[:1]})
    return model


def named():
    """A model of two inputs and two outputs by name."""
    a, b = keras.Input((FEATURES,), name="a"), keras.Input((2,), name="b")
    h = layers.Concatenate()([a, b])
    outputs = {"c": SoftmaxHead(CLASSES, name="c")(h), "r": layers.Dense(1, name="r")(h)}
    losses = {"c": "sparse_categorical_crossentropy", "r": "mse"}
    return compiled(keras.Model({"a": a, "b": b}, outputs), loss=losses, metrics=None)


NAMED = {"a": X, "b": X[:, :2]}, {"c": Y, "r": X[:, :1]}


def listed():
    """The same of two inputs and two outputs in order."""
    inputs = [keras.Input((FEATURES,)), keras.Input((2,))]
    h = layers.Concatenate()(inputs)
    outputs = [SoftmaxHead(CLASSES, name="c")(h), layers.Dense(1, name="r")(h)]
    losses = ["sparse_categorical_crossentropy", "mse"]
    return compiled(keras.Model(inputs, outputs), loss=losses, metrics=None)


LISTED = [X, X[:, :2]], [Y, X[:, :1]]


def rows(*parts, batch=BATCH):
    return tf.data.Dataset.from_tensor_slices(parts).batch(batch)


def unknown(dataset):
    """The same elements, but nobody knows how many."""
    return dataset.filter(lambda *_: True)


def sgd():
    """It doesn't look at the number of iterations."""
    return small(optimizer=keras.optimizers.SGD(0.1, momentum=0.9))


def part_of(parts, rows):
    return keras.tree.map_structure(lambda a: None if a is None else a[rows], parts)


class Batches(keras.utils.PyDataset):
    """Batches of arrays by number; writes down the hooks that are called."""

    def __init__(self, *parts, count=STEPS, **kwargs):
        super().__init__(**kwargs)
        self.parts, self.count, self.hooks = parts, count, []
        self.order = np.arange(ROWS)

    @property
    def num_batches(self):
        return self.count

    def __getitem__(self, index):
        taken = self.order[index % STEPS * BATCH :][:BATCH]
        return part_of(self.parts, taken)

    def on_epoch_begin(self):
        self.hooks.append("begin")

    def on_epoch_end(self):
        self.hooks.append("end")


class Reordered(Batches):
    """Changes the order of the examples at the end of every epoch, as PyDatasets do."""

    def on_epoch_end(self):
        super().on_epoch_end()
        self.order = np.roll(self.order, 7)


def generator(*parts, endless=True):
    while True:
        for start in range(0, ROWS, BATCH):
            cut = slice(start, start + BATCH)
            yield part_of(parts, cut)
        if not endless:
            return
