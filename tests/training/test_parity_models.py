"""`fit` gives ``model.fit``'s numbers to the last bit, whatever the model is made of."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.parity import (
    BATCH,
    CLASSES,
    FEATURES,
    Run,
    assert_same,
    both,
    compiled,
    examples,
    keras_fit,
    mlp,
    network,
    small,
)
from tfcourse import BatchNorm, SoftmaxHead, fit

layers, regularizers = keras.layers, keras.regularizers
SEQUENCE = layers.Reshape((3, 2))
IMAGE = layers.Reshape((3, 2, 1))


class OwnStep(keras.Model):
    """A model with its own ``train_step``, which reports what it likes."""

    def __init__(self, report):
        super().__init__()
        self.head = SoftmaxHead(CLASSES)
        self.report = report

    def call(self, x):
        return self.head(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            outputs = self(x, training=True)
            loss = self.compute_loss(x, y, outputs)
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return self.report(self, loss, y, outputs)


def other_logs(model, loss, y, outputs):
    return {"loss": loss, "twice": 2 * loss}


def any_logs(model, loss, y, outputs):
    return {"loss": loss, "text": tf.constant("a"), "nothing": None, "pair": (loss, None)}


def only_loss(model, loss, y, outputs):
    """Keras reads the history from the loss tracker if the names are the same: here 0."""
    return {"loss": loss}


def all_metrics(model, loss, y, outputs):
    """As Keras's guide has it."""
    for metric in model.metrics:
        if metric.name == "loss":
            metric.update_state(loss)
        else:
            metric.update_state(y, outputs)
    return {metric.name: metric.result() for metric in model.metrics}


class OwnLoss(keras.Model):
    """A model with its own loss and metrics, and without ``compile``'s."""

    def __init__(self):
        super().__init__()
        self.head = layers.Dense(1)
        self.seen = keras.metrics.Mean(name="seen")

    def call(self, x, training=False):
        return self.head(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = keras.ops.mean(keras.ops.square(y_pred[:, 0] - keras.ops.cast(y, "float32")))
        self.seen.update_state(loss)
        return loss

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {**super().compute_metrics(x, y, y_pred, sample_weight), "doubled": self.double()}

    def double(self):
        return 2 * self.seen.result()


class Penalty(layers.Layer):
    """Adds to the loss, and keeps a statistic of its own."""

    def build(self, shape):
        zero = {"initializer": "zeros", "dtype": "float32", "autocast": False}
        self.largest = self.add_weight(shape=(), trainable=False, **zero)

    def call(self, x):
        wide = tf.cast(x, tf.float32)
        self.add_loss(0.1 * tf.reduce_mean(wide**2))
        self.largest.assign(tf.maximum(self.largest.value, tf.reduce_max(wide)))
        return x


def frozen():
    fixed = layers.Dense(4, trainable=False)
    return network(fixed, BatchNorm(trainable=False), layers.Dense(4), BatchNorm())


def shared():
    inputs = keras.Input((FEATURES,))
    tower = keras.Sequential([layers.Dense(4), layers.Dropout(0.2), BatchNorm()])
    joined = layers.Concatenate()([tower(inputs), tower(inputs[:, ::-1])])
    return compiled(keras.Model(inputs, SoftmaxHead(CLASSES)(joined)))


def masked():
    words = layers.Lambda(lambda x: tf.cast(tf.abs(x) * 4, tf.int32))
    embedding = layers.Embedding(20, 4, mask_zero=True)
    return network(words, embedding, layers.GRU(3))


def attention():
    inputs = keras.Input((FEATURES,))
    sequence = SEQUENCE(inputs)
    attended = layers.MultiHeadAttention(2, 2, dropout=0.1)(sequence, sequence)
    normed = layers.Flatten()(layers.LayerNormalization()(attended))
    return compiled(keras.Model(inputs, SoftmaxHead(CLASSES)(normed)))


MODELS = {
    "MLP": small,
    "batch norm": mlp,
    "dropout": lambda: mlp(dropout=0.4),
    "noise": lambda: network(layers.GaussianNoise(0.3), layers.GaussianDropout(0.2)),
    "convolution": lambda: network(
        IMAGE, layers.Conv2D(4, 2, padding="same"), layers.BatchNormalization(),
        layers.MaxPooling2D(2), layers.SeparableConv2D(3, 1), layers.Flatten(),
    ),
    "LSTM": lambda: network(
        SEQUENCE, layers.LSTM(3, dropout=0.2, recurrent_dropout=0.2)
    ),
    "masks": masked,
    "attention": attention,
    "L1, L2": lambda: network(
        layers.Dense(
            4,
            kernel_regularizer=regularizers.L1(0.01),
            bias_regularizer=regularizers.L2(0.1),
            activity_regularizer=regularizers.L1L2(0.01, 0.1),
        )
    ),
    "constraints": lambda: network(
        layers.Dense(4, kernel_constraint="max_norm", bias_constraint="non_neg")
    ),
    "frozen layers": frozen,
    "shared layers": shared,
    "a layer's own loss and state": lambda: network(Penalty(), layers.Dense(4)),
    # Keras can't read metrics that the step never updated, so these have none.
    "own train_step": lambda: compiled(OwnStep(other_logs), metrics=None),
    "own train_step, logs of all kinds": lambda: compiled(OwnStep(any_logs), metrics=None),
    "own train_step, loss only": lambda: compiled(OwnStep(only_loss), metrics=None),
    "own train_step, all metrics": lambda: compiled(OwnStep(all_metrics)),
    "own loss": lambda: compiled(OwnLoss(), loss=None, metrics=None),
}  # fmt: skip


# In a validation batch norm uses its averages, dropout keeps everything, and penalties count.
VALIDATED = {"dropout", "L1, L2", "own loss"}


@pytest.mark.parametrize("name", MODELS)
def test_same_numbers_to_the_last_bit(name):
    validation = {"validation_data": examples()} if name in VALIDATED else {}
    assert_same(both(MODELS[name], examples(), **validation))


@pytest.mark.parametrize("first", [False, True], ids=["freed", "frozen"])
def test_trainable_takes_effect_with_compile(first):
    """And so not where data of another size or kind is traced anew."""
    x, y = examples()
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH)
    runs = []
    for train in (keras_fit, fit):
        keras.utils.set_random_seed(7)
        changed = [layers.Dense(4, trainable=first), BatchNorm(trainable=first)]
        model = network(*changed)
        for count, data in enumerate([(x, y, BATCH), (x[:40], y[:40], BATCH), (batches,)]):
            for layer in changed:
                layer.trainable = first == (count == 0)
            before = changed[0].get_weights()
            history = train(model, *data, shuffle=False, verbose=0)
            moved = any(map(np.any, map(np.subtract, changed[0].get_weights(), before)))
            assert moved == first
            runs.append(Run(model, history))
    for theirs, ours in zip(runs[:3], runs[3:], strict=True):
        assert_same([theirs, ours])


def test_trainable_takes_effect_at_once_where_nothing_is_traced():
    x, y = examples()
    model = network(layers.Dense(4), run_eagerly=True)
    fit(model, x, y, BATCH, verbose=0)
    model.layers[0].trainable = False
    before = model.layers[0].get_weights()
    fit(model, x, y, BATCH, verbose=0)
    for now, then in zip(model.layers[0].get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
