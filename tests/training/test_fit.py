"""What `fit` does in its own way: its order, its programs, its messages.

What it does as ``model.fit`` does is in the ``test_parity_*.py`` files.
"""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.training.parity import CLASSES, FEATURES, ROWS, compiled, examples, mlp, small
from tfcourse import InputError, Momentum, SoftmaxHead, fit


@pytest.fixture(scope="module")
def data():
    return examples()


def test_shuffling_comes_from_seed_and_epoch(data):
    def weights(seed, epochs=2):
        keras.utils.set_random_seed(3)
        model = mlp()
        fit(model, *data, epochs=epochs, verbose=0, seed=seed)
        return np.concatenate([w.ravel() for w in model.get_weights()])

    np.testing.assert_array_equal(weights(5), weights(5))
    assert np.abs(weights(5) - weights(6)).max() > 1e-4

    keras.utils.set_random_seed(3)
    in_two_calls = mlp()
    fit(in_two_calls, *data, epochs=1, verbose=0, seed=5)
    fit(in_two_calls, *data, epochs=2, initial_epoch=1, verbose=0, seed=5)
    flat = np.concatenate([w.ravel() for w in in_two_calls.get_weights()])
    np.testing.assert_array_equal(flat, weights(5))


def test_numpys_generator_is_left_alone_where_nothing_is_shuffled(data):
    np.random.seed(3)
    fit(mlp(), *data, epochs=1, verbose=0, shuffle=False)
    drawn = np.random.rand()
    np.random.seed(3)
    assert np.random.rand() == drawn


def test_every_example_is_seen_once_an_epoch(data):
    class Sum(keras.Model):
        def build(self, shape):
            self.seen = self.add_weight(shape=(ROWS,), initializer="zeros", trainable=False)
            self.w = self.add_weight(shape=(1,), name="w")

        def call(self, x):
            self.seen.assign_add(tf.reduce_sum(tf.one_hot(tf.cast(x[:, 0], tf.int32), ROWS), 0))
            return self.w * x

    model = Sum()
    model.compile(Momentum(0.0), "mse")
    rows = np.arange(ROWS, dtype="float32")[:, None]
    fit(model, rows, rows, batch_size=16, epochs=3, verbose=0)
    np.testing.assert_array_equal(model.seen.numpy(), np.full(ROWS, 3))


class SquaredError(keras.losses.Loss):
    def call(self, y, outputs):
        return (y - outputs) ** 2


def test_a_pandas_series_is_a_column(data):
    """Else a loss would compare every target with every output."""
    x, _ = data

    def trained(y):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(1)])
        model.compile("sgd", SquaredError())
        return fit(model, x, y, epochs=1, verbose=0, seed=1).history["loss"]

    as_column = trained(x[:, :1])
    assert trained(pd.Series(x[:, 0])) == trained(pd.Series(x[:, 0], dtype="Float64")) == as_column
    with pytest.warns(UserWarning, match='the loss "squared_error.*" broadcasts them'):
        assert trained(x[:, 0]) != as_column


def programs(model):
    return model._tfcourse_programs.programs


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_second_call_traces_nothing(jit_compile, data):
    """Under XLA of full batches alone, as it compiles a step for each size of a batch."""
    model, data = small(), [part[:64] for part in data] if jit_compile else data
    for _ in range(2):
        fit(model, *data, batch_size=16, verbose=0, validation_data=data, jit_compile=jit_compile)
    traces = {kind: program.traces for (kind, *_), program in programs(model).items()}
    assert traces == {"train": 1, "test": 1}
    fit(model, *data, batch_size=32, verbose=0, jit_compile=jit_compile)
    train = next(p for key, p in programs(model).items() if key[0] == "train")
    assert train.traces == (2 if jit_compile else 1), "without XLA the batch size is a tensor"


def test_compiling_again_makes_new_programs(data):
    model = mlp()
    fit(model, *data, verbose=0)
    before = programs(model)
    compiled(model, Momentum(0.5))
    weights = model.get_weights()
    fit(model, *data, verbose=0)
    assert programs(model) is not before
    assert any((a != b).any() for a, b in zip(weights, model.get_weights(), strict=True))


class OwnMetrics(keras.Model):
    """Names its own metrics alone, as Keras's guide has it."""

    def __init__(self):
        super().__init__()
        self.body, self.head = keras.layers.Dense(4), SoftmaxHead(CLASSES)
        self.tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.tracker]

    def call(self, x):
        return self.head(self.body(x))


def test_compiling_again_with_the_same_optimizer(data):
    """Also where the model's own ``metrics`` don't name what ``compile`` made."""
    x, y = data[0], keras.utils.to_categorical(data[1], CLASSES)
    model, optimizer = OwnMetrics(), keras.optimizers.SGD(0.1)
    model.compile(optimizer, "categorical_crossentropy")
    fit(model, x, y, verbose=0)
    model.body.trainable = False
    model.compile(optimizer, "mse")
    frozen = model.body.get_weights()
    fit(model, x, y, verbose=0)
    for now, before in zip(model.body.get_weights(), frozen, strict=True):
        np.testing.assert_array_equal(now, before)


def test_a_saved_model_can_be_trained_on(data, tmp_path):
    model = mlp()
    fit(model, *data, verbose=0, seed=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        fit(each, *data, verbose=0, seed=2)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps_per_epoch": 0}, r"steps_per_epoch must be a whole number >= 1\. Received: 0\."),
        ({"batch_size": 0}, r"batch_size must be a whole number >= 1\. Received: 0\."),
        ({"batch_size": 2.5}, r"batch_size must be a whole number >= 1\. Received: 2\.5\."),
        ({"epochs": -1}, r"epochs must be a whole number >= 0\. Received: -1\."),
        ({"shuffle": "batch"}, r"shuffle must be True or False\. Received: 'batch'\."),
        ({"y": np.zeros(3)}, r"same number of examples .* Received: x: 75, y: 3\."),
        ({"x": np.zeros((0, 6)), "y": np.zeros(0)}, r"x holds no examples"),
        ({"validation_split": 1.0}, r"validation_split must lie in \(0, 1\).*Received: 1\.0 of 75"),
        ({"validation_split": 0.999}, r"leave examples on both sides"),
        (
            {"class_weight": {0: 1.0}, "sample_weight": np.ones(ROWS)},
            r"class_weight or sample_weight, not both",
        ),
    ],
)
def test_wrong_arguments(arguments, message, data):
    x, y = data
    with pytest.raises(InputError, match=message):
        fit(mlp(), **{"x": x, "y": y, "verbose": 0, **arguments})


def test_a_model_must_be_compiled(data):
    model = keras.Sequential([keras.Input((FEATURES,)), SoftmaxHead(CLASSES)])
    with pytest.raises(InputError, match=r"fit needs a compiled model\. Call model\.compile"):
        fit(model, *data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, r"seed must be a whole number >= 0\. Received: -1\."),
        ({"seed": 1.5}, r"seed must be a whole number >= 0\. Received: 1\.5\."),
        ({"initial_epoch": -1}, r"initial_epoch must be a whole number >= 0\. Received: -1\."),
        ({"validation_freq": 0}, r"validation_freq must be a whole number >= 1\. Received: 0\."),
        (
            {"jit_compile": "Auto"},
            r'jit_compile must be True, False or "auto"\. Received: \'Auto\'',
        ),
        ({"x": None}, r"x is missing: pass the examples, or a dataset of them\."),
        ({"x": []}, r"x is missing: pass the examples, or a dataset of them\."),
        (
            {"y": [np.zeros(ROWS)] * 2, "class_weight": {0: 1.0}},
            r"class_weight needs a model with one output, .* several outputs pass sample_weight",
        ),
        ({"class_weight": [1.0, 2.0, 3.0]}, r"class_weight must be a dict of a weight for every"),
    ],
)
def test_wrong_choices(arguments, message, data):
    x, y = data
    with pytest.raises(InputError, match=message):
        fit(mlp(), **{"x": x, "y": y, "verbose": 0, **arguments})


def test_class_weight_needs_one_class_per_example(data):
    x, _ = data
    with pytest.raises(InputError, match=r"Received: y of shape \(75, 4, 1\) and type int64\. Use"):
        fit(mlp(), x, np.zeros((75, 4, 1), "int64"), class_weight={0: 1.0}, verbose=0)


@pytest.mark.parametrize("kind", ["length", "ragged"])
def test_xla_needs_known_shapes(kind, data):
    words = [[1, 2], [3, 4, 5], [6], [7, 8]]
    if kind == "ragged":
        dataset = tf.data.Dataset.from_tensor_slices(tf.ragged.constant(words)).batch(2)
    else:
        row = tf.TensorSpec((None,), tf.int32)
        dataset = tf.data.Dataset.from_generator(lambda: iter(words), output_signature=row)
        dataset = dataset.padded_batch(2)
    dataset = tf.data.Dataset.zip(dataset, tf.data.Dataset.from_tensor_slices([[0, 1], [1, 2]]))
    body = [keras.layers.Embedding(9, 4), keras.layers.GlobalAveragePooling1D()]
    model = keras.Sequential([keras.Input((None,)), *body, SoftmaxHead(CLASSES)])
    compiled(model)
    with pytest.raises(InputError, match=r"jit_compile=True needs dense data whose shapes are kn"):
        fit(model, dataset, verbose=0, jit_compile=True)
    if kind == "length":
        fit(model, dataset, verbose=0, epochs=2)


def test_a_dataset_of_unknown_rank(data):
    unknown = tf.TensorSpec(None, tf.float32), tf.TensorSpec((None,), tf.int64)
    dataset = tf.data.Dataset.from_generator(lambda: iter([data]), output_signature=unknown)
    with pytest.raises(InputError, match=r"no known rank\. Set their shapes, with \.map"):
        fit(mlp(), dataset, verbose=0)


@pytest.mark.parametrize("per_batch", [False, True])
def test_data_that_ends_early_is_said(per_batch, data):
    class Batches(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    dataset = tf.data.Dataset.from_tensor_slices(data).batch(16)
    callbacks = [Batches()] if per_batch else []
    with pytest.warns(UserWarning, match="The data ended after 5 of the 7 steps of an epoch"):
        fit(mlp(), dataset, steps_per_epoch=7, callbacks=callbacks, verbose=0)


def test_a_generator_that_is_used_up_is_said(data):
    x, y = data
    batches = ((x[i : i + 16], y[i : i + 16]) for i in range(0, ROWS, 16))
    with pytest.warns(UserWarning, match="The data ended after 2 of the 5 steps"):
        fit(mlp(), batches, epochs=2, verbose=0)
