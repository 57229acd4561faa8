"""`predict` against ``model.predict``: the same outputs, whatever the model and the data."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcourse import BatchNorm, InputError, SoftmaxHead, fit, predict
from tfcourse.training.programs.collect import CollectProgram

layers = keras.layers
ROWS, FEATURES, CLASSES = 75, 6, 3  # 75 = 4 batches of 16 and one of 11


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(ROWS, FEATURES)).astype("float32")


def sequential(*body, **kwargs):
    return keras.Sequential([keras.Input((FEATURES,)), *body], **kwargs)


def mlp():
    blocks = [layers.Dense(8), BatchNorm(), layers.ReLU(), layers.Dropout(0.5)]
    return sequential(*blocks, SoftmaxHead(CLASSES))


def recurrent():
    return sequential(layers.Reshape((3, 2)), layers.LSTM(4), SoftmaxHead(CLASSES))


def convolutional():
    return sequential(layers.Reshape((3, 2, 1)), layers.Conv2D(2, 2), SoftmaxHead(CLASSES))


def nested():
    a, b = keras.Input((FEATURES,), name="a"), keras.Input((FEATURES,), name="b")
    h = layers.Dense(5, activation="tanh")(layers.Concatenate()([a, b]))
    outputs = {"c": SoftmaxHead(CLASSES)(h), "more": [layers.Dense(1)(h), (h, h[:, :2])]}
    return keras.Model({"a": a, "b": b}, outputs)


class OwnStep(keras.Model):
    """Gives the class and its probability."""

    def predict_step(self, data):
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        probabilities = self(x, training=False)
        return {"class": tf.argmax(probabilities, -1), "p": tf.reduce_max(probabilities, -1)}


def own_step():
    inputs = keras.Input((FEATURES,))
    return OwnStep(inputs, SoftmaxHead(CLASSES)(inputs))


def both(model, x, **kwargs):
    """What ``model.predict`` and `predict` give; x is made anew if it is callable."""
    kwargs = {"verbose": 0, **kwargs}
    theirs, ours = (x() if callable(x) else x for _ in range(2))
    return model.predict(theirs, **kwargs), predict(model, ours, **kwargs)


def assert_same(theirs, ours):
    assert type(ours) is type(theirs)
    keras.tree.assert_same_structure(ours, theirs)
    for a, b in zip(keras.tree.flatten(theirs), keras.tree.flatten(ours), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def program(model):
    return model._tfcourse_programs.programs["predict", False][1]


@pytest.mark.parametrize("make", [mlp, recurrent, convolutional, own_step])
def test_same_outputs_to_the_last_bit(make, x):
    model = make()
    theirs, ours = both(model, x, batch_size=16)
    assert isinstance(ours, dict | np.ndarray)
    assert_same(theirs, ours)
    # In one loop over the batches: traced once by itself, and once in the loop.
    assert program(model).traces == 2


def test_nested_inputs_and_outputs(x):
    theirs, ours = both(nested(), {"a": x, "b": x[:, ::-1]}, batch_size=16)
    assert_same(theirs, ours)
    assert isinstance(ours["more"][1], tuple)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"batch_size": 25}, {"batch_size": 1000}, {"steps": 3}, {"steps": 3, "batch_size": 16}],
    ids=str,
)
def test_same_arguments(arguments, x):
    assert_same(*both(mlp(), x, **arguments))


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "bool"])
def test_other_types(dtype, x):
    assert_same(*both(mlp(), x.astype(dtype)))


def test_half_precision(x):
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert_same(*both(sequential(layers.Dense(8, activation="relu"), layers.Dense(2)), x))


class Batches(keras.utils.PyDataset):
    """A ``PyDataset`` that shuffles at the end of an epoch."""

    def __init__(self, x):
        super().__init__()
        self.x, self.order = x, np.arange(len(x))

    def __len__(self):
        return -(-len(self.x) // 16)

    def __getitem__(self, index):
        return (self.x[self.order[index * 16 : (index + 1) * 16]],)

    def on_epoch_end(self):
        self.order = self.order[::-1]


@pytest.mark.parametrize("kind", ["dataset", "pairs", "steps", "without length", "py", "generator"])
def test_streams(kind, x):
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(16)
    stream = {
        "pairs": tf.data.Dataset.zip(dataset, dataset.map(lambda x: x[:, 0])),
        "without length": dataset.filter(lambda x: True),
        "py": lambda: Batches(x),
        "generator": lambda: ((x[i : i + 16],) for i in range(0, ROWS, 16)),
    }.get(kind, dataset)
    model = mlp()
    if kind in ("without length", "generator"):
        # Keras warns that the data has ended, whose length it did not know.
        with pytest.warns(UserWarning, match="ran out of data"):
            theirs = model.predict(stream() if callable(stream) else stream, verbose=0)
        ours = predict(model, stream() if callable(stream) else stream, verbose=0)
    else:
        theirs, ours = both(model, stream, **({"steps": 3} if kind == "steps" else {}))
    assert_same(theirs, ours)
    assert program(model).traces == 2


class Scalar(keras.Model):
    def predict_step(self, data):
        return tf.reduce_sum(self(data))


class Sparse(keras.Model):
    def predict_step(self, data):
        return tf.sparse.from_dense(self(data))


class Eager(keras.Model):
    def predict_step(self, data):
        return tf.convert_to_tensor(self(data).numpy())


@pytest.mark.parametrize("kind", [Scalar, Sparse, Eager])
def test_outputs_that_keras_collects_itself(kind, x):
    inputs = keras.Input((FEATURES,))
    model = kind(inputs, layers.Dense(2)(inputs))
    if kind is Eager:
        model.compile(run_eagerly=True)
    theirs, ours = both(model, x)
    if kind is Sparse:
        theirs, ours = tf.sparse.to_dense(theirs), tf.sparse.to_dense(ours)
    np.testing.assert_array_equal(theirs, ours)


def test_rows_whose_shape_is_known_batch_by_batch():
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, layers.Dense(1)(inputs))

    def batches():
        for length in (3, 5):
            yield (np.ones((4, length, 2), "float32"),)

    with pytest.warns(UserWarning, match="ran out of data"):
        theirs = model.predict(batches(), verbose=0)
    with pytest.warns(UserWarning, match="ran out of data"):
        ours = predict(model, batches(), verbose=0)
    assert isinstance(ours, tf.RaggedTensor)
    np.testing.assert_array_equal(ours.to_tensor(), theirs.to_tensor())


def test_a_model_without_weights_yet(x):
    model = keras.Sequential([layers.Dense(4), SoftmaxHead(CLASSES)])
    first = predict(model, x, verbose=0)
    assert_same(first, predict(model, x, verbose=0))


def test_a_stateful_model_goes_on_from_batch_to_batch(x):
    body = [layers.Reshape((3, 2)), layers.LSTM(4, stateful=True)]
    model = keras.Sequential([keras.Input(batch_shape=(15, FEATURES)), *body])
    theirs = model.predict(x, batch_size=15, verbose=0)
    model.layers[1].reset_state()
    assert_same(theirs, predict(model, x, batch_size=15, verbose=0))


def test_batch_callbacks_get_every_batch_and_its_outputs(x):
    calls = []

    class Recorder(keras.callbacks.Callback):
        def on_predict_begin(self, logs=None):
            calls.append("begin")

        def on_predict_batch_begin(self, batch, logs=None):
            calls.append(batch)

        def on_predict_batch_end(self, batch, logs=None):
            calls.append((batch, np.asarray(logs["outputs"]).tolist()))

        def on_predict_end(self, logs=None):
            calls.append("end")

    assert_same(*both(mlp(), x, batch_size=16, callbacks=[Recorder()]))
    assert len(calls) == 2 * 12
    assert calls[12:] == calls[:12]


def test_a_callback_can_stop_it(x):
    class Stop(keras.callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            self.model.stop_predicting = batch == 1

    theirs, ours = both(mlp(), x, batch_size=16, callbacks=[Stop()])
    assert len(ours) == 32
    assert_same(theirs, ours)


def test_a_callback_can_stop_it_before_it_begins(x):
    class Stop(keras.callbacks.Callback):
        def on_predict_begin(self, logs=None):
            self.model.stop_predicting = True

    theirs, ours = both(mlp(), x, batch_size=16, callbacks=[Stop()])
    assert len(ours) == 16
    assert_same(theirs, ours)


def test_progress_is_shown_as_keras_shows_it(x, capsys):
    predict(mlp(), x, batch_size=16, verbose=2)
    assert capsys.readouterr().out.startswith("5/5 - ")
    predict(mlp(), x, batch_size=16, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_call_gives_back_no_more_than_so_many_bytes(x, monkeypatch):
    model = mlp()
    theirs = model.predict(x, batch_size=16, verbose=0)
    monkeypatch.setattr(
        sys.modules["tfcourse.training.predict"], "BYTES_PER_CALL", 2 * 16 * CLASSES * 4
    )
    sizes, run = [], CollectProgram.__call__

    def spy(*arguments):
        outcome = run(*arguments)
        sizes.append(len(outcome.logs))
        return outcome

    monkeypatch.setattr(CollectProgram, "__call__", spy)
    assert_same(theirs, predict(model, x, batch_size=16, verbose=0))
    assert sizes == [32, 32, 11]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_second_call_traces_nothing(jit_compile, x):
    model = mlp()
    for rows in (75, 75, 70, 65, 50):
        predict(model, x[:rows], batch_size=16, verbose=0, jit_compile=jit_compile)
    ((_, kept),) = model._tfcourse_programs.programs.values()
    # The step, the loop, and the loop for data of another length.
    assert kept.traces == 3


def test_it_predicts_with_the_weights_of_now(x):
    model = mlp()
    predict(model, x, verbose=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    fit(model, x, np.zeros(ROWS), verbose=0, seed=0)
    assert_same(*both(model, x))
    model.layers[0].enable_lora(1)
    lora = model.layers[0].lora_kernel_b
    lora.assign(np.ones(lora.shape))
    assert_same(model(x, training=False).numpy()[:32], predict(model, x, verbose=0)[:32])


def test_xla_agrees_to_float_tolerance(x):
    model = mlp()
    ours = predict(model, x, batch_size=16, verbose=0, jit_compile=True)
    theirs = model.predict(x, batch_size=16, verbose=0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, r"batch_size must be a whole number >= 1\. Received: 0\."),
        ({"steps": 0}, r"steps must be a whole number >= 1\. Received: 0\."),
        ({"x": np.zeros((0, 6))}, r"x holds no examples"),
        ({"x": None}, r"x is missing: pass the examples, or a dataset of them\."),
        ({"x": [[1.0] * 6]}, r"x must be an array\. Received: a Python list of float\."),
        ({"x": np.zeros((75, 3, 2))}, r"\(75, 3, 2\), the model takes \(None, 6\)\. Reshape it"),
    ],
    ids=lambda a: a if isinstance(a, str) else ",".join(a),
)
def test_wrong_arguments(arguments, message, x):
    with pytest.raises(InputError, match=message):
        predict(mlp(), **{"x": x, "verbose": 0, **arguments})


def test_a_dataset_without_batches(x):
    dataset = tf.data.Dataset.from_tensor_slices(x).take(0).batch(4)
    for empty in (dataset, dataset.filter(lambda x: True)):
        with pytest.raises(InputError, match="x holds no batches"):
            predict(mlp(), empty, verbose=0)


def test_data_that_ends_early_is_said():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    dataset = tf.data.Dataset.from_tensor_slices(np.ones((6, 3), "float32")).batch(2)

    class Batches(keras.callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            pass

    with pytest.warns(UserWarning, match="The data ended after 3 of the 5 steps of an epoch"):
        predict(model, dataset, steps=5, verbose=0, callbacks=[Batches()])
