"""`evaluate` against ``model.evaluate``: the same numbers, whatever the model and the data."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcourse import BatchNorm, InputError, SoftmaxHead, evaluate, fit

layers = keras.layers
ROWS, FEATURES, CLASSES = 75, 6, 3  # 75 = 4 batches of 16 and one of 11


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0.5)


def compiled(model, **kwargs):
    kwargs = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **kwargs}
    model.compile("adam", **kwargs)
    # Of all kinds, also the moving averages of a batch norm, which must be positive.
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 1.0, w.shape) for w in model.get_weights()])
    return model


def mlp(**kwargs):
    blocks = [layers.Dense(8), BatchNorm(), layers.ReLU(), layers.Dropout(0.5)]
    head = SoftmaxHead(CLASSES)
    return compiled(keras.Sequential([keras.Input((FEATURES,)), *blocks, head]), **kwargs)


def recurrent():
    head = [layers.Reshape((3, 2)), layers.LSTM(4), SoftmaxHead(CLASSES)]
    return compiled(keras.Sequential([keras.Input((FEATURES,)), *head]))


def two_inputs_two_outputs():
    a, b = keras.Input((FEATURES,), name="a"), keras.Input((FEATURES,), name="b")
    h = layers.Dense(5, activation="tanh")(layers.Concatenate()([a, b]))
    outputs = {"c": SoftmaxHead(CLASSES, name="c")(h), "r": layers.Dense(1, name="r")(h)}
    losses = {"c": "sparse_categorical_crossentropy", "r": "mse"}
    metrics = {"c": ["accuracy"], "r": ["mae"]}
    return compiled(keras.Model({"a": a, "b": b}, outputs), loss=losses, metrics=metrics)


@functools.cache
def kept():
    """A model for several tests: an evaluation changes none of its state but the metrics'."""
    return mlp(weighted_metrics=["accuracy"])


class OwnStep(keras.Model):
    """Reports logs that are no metrics, of the last batch."""

    def test_step(self, data):
        x, y = data
        loss = self.compute_loss(x, y, self(x, training=False))
        return {"loss": loss, "twice": 2 * loss}


def own_step():
    x = keras.Input((FEATURES,))
    return compiled(OwnStep(x, SoftmaxHead(CLASSES)(x)), metrics=None)


class Batches(keras.utils.PyDataset):
    """A ``PyDataset`` that shuffles at the end of an epoch."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y, self.order = x, y, np.arange(len(x))
        self.ends = 0

    def __len__(self):
        return -(-len(self.x) // 16)

    def __getitem__(self, index):
        rows = self.order[index * 16 : (index + 1) * 16]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.ends += 1
        self.order = np.roll(self.order, 1)


def generator(x, y):
    yield from ((x[i : i + 16], y[i : i + 16]) for i in range(0, len(x), 16))


def both(model, *args, **kwargs):
    """What ``model.evaluate`` and `evaluate` give; each argument made anew if it is callable."""
    made = [[a() if callable(a) else a for a in args] for _ in range(2)]
    kwargs = {"verbose": 0, **kwargs}
    return model.evaluate(*made[0], **kwargs), evaluate(model, *made[1], **kwargs)


def assert_same(theirs, ours):
    assert type(ours) is type(theirs)
    keras.tree.assert_same_structure(ours, theirs)
    for a, b in zip(keras.tree.flatten(theirs), keras.tree.flatten(ours), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make", [mlp, recurrent, own_step])
def test_same_numbers_to_the_last_bit(make, data):
    model = make()
    assert_same(*both(model, *data, batch_size=16))
    assert_same(*both(model, *data, batch_size=16, return_dict=True))


def test_several_inputs_and_outputs(data):
    x, y = data
    targets = {"c": y, "r": x[:, :1]}
    arguments = [two_inputs_two_outputs(), {"a": x, "b": x[:, ::-1]}, targets]
    assert_same(*both(*arguments, sample_weight=np.linspace(0, 1, ROWS), return_dict=True))
    assert_same(*both(*arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"batch_size": 25},
        {"batch_size": 1000},
        {"steps": 3},
        {"steps": 3, "batch_size": 16},
        {"sample_weight": np.linspace(0, 2, ROWS)},
    ],
    ids=lambda a: ",".join(f"{k}={v}" for k, v in a.items() if not isinstance(v, np.ndarray)),
)
def test_same_arguments(arguments, data):
    assert_same(*both(kept(), *data, **arguments))


def test_a_loss_alone_is_a_number(data):
    theirs, ours = both(mlp(metrics=None), *data)
    assert isinstance(ours, float)
    assert_same(theirs, ours)


def test_metrics_of_several_values(data):
    x, y = data
    model = mlp(loss="categorical_crossentropy", metrics=[keras.metrics.F1Score()])
    assert_same(*both(model, x, np.eye(CLASSES, dtype="float32")[y]))


@pytest.mark.parametrize("kind", ["dataset", "steps", "dataset without length", "py", "generator"])
def test_streams(kind, data):
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(16)
    arguments = {}
    if kind == "steps":
        arguments = {"steps": 3}
    stream = {
        "dataset without length": lambda: dataset.filter(lambda x, y: True),
        "py": lambda: Batches(*data),
        "generator": lambda: generator(*data),
    }.get(kind, dataset)
    model = kept()
    if kind in ("dataset without length", "generator"):
        # Keras warns that the data has ended, whose length it did not know.
        with pytest.warns(UserWarning, match="ran out of data"):
            theirs = model.evaluate(stream(), verbose=0)
        assert_same(theirs, evaluate(model, stream(), verbose=0))
    else:
        assert_same(*both(model, stream, **arguments))


def test_a_py_dataset_is_told_of_the_same_epochs(data):
    theirs, ours = Batches(*data), Batches(*data)
    model = mlp()
    model.evaluate(theirs, verbose=0)
    evaluate(model, ours, verbose=0)
    assert ours.ends == theirs.ends


def test_batch_callbacks_get_every_batch(data):
    calls = []

    class Recorder(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            calls.append("begin")

        def on_test_batch_end(self, batch, logs=None):
            calls.append((batch, float(logs["loss"])))

        def on_test_end(self, logs=None):
            calls.append(logs)

    model = mlp()
    both(model, *data, batch_size=16, callbacks=[Recorder()])
    assert len(calls) == 2 * 7
    assert calls[7:] == calls[:7]


def test_a_callback_can_stop_it(data):
    class Stop(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            self.model.stop_evaluating = batch == 1

    assert_same(*both(mlp(), *data, batch_size=16, callbacks=[Stop()]))


def test_progress_is_shown_as_keras_shows_it(data, capsys):
    model = mlp()
    evaluate(model, *data, batch_size=16, verbose=2)
    shown = capsys.readouterr().out
    model.evaluate(*data, batch_size=16, verbose=2)

    def words(line):
        return [w for w in line.split() if "s" not in w]  # not the times

    assert words(shown) == words(capsys.readouterr().out)
    assert shown.startswith("5/5") and "accuracy" in shown


def programs(model):
    return {key: p for key, p in model._tfcourse_programs.programs.items() if key[0] == "test"}


def test_it_runs_the_program_of_the_validation_and_traces_nothing(data):
    model = mlp()
    fit(model, *data, verbose=0, validation_data=data)
    evaluate(model, *data, verbose=0)
    evaluate(model, *data, verbose=0, batch_size=7)
    (program,) = programs(model).values()
    assert program.traces == 1


def test_data_of_a_third_length_is_not_traced_again(data):
    x, y = data
    model = mlp()
    for rows in (75, 70, 65, 50, 40):
        evaluate(model, x[:rows], y[:rows], verbose=0)
    (program,) = programs(model).values()
    assert program.traces == 2


def test_it_leaves_the_optimizer_unbuilt(data):
    model = keras.Sequential([layers.Dense(4), SoftmaxHead(CLASSES)])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = evaluate(model, *data, verbose=0)
    assert model.built and not model.optimizer.built
    assert_same(model.evaluate(*data, verbose=0), before)


def test_xla_agrees_to_float_tolerance(data):
    model = mlp()
    ours = evaluate(model, *data, batch_size=16, verbose=0, jit_compile=True)
    theirs = model.evaluate(*data, batch_size=16, verbose=0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, r"batch_size must be a whole number >= 1\. Received: 0\."),
        ({"steps": 2.5}, r"steps must be a whole number >= 1\. Received: 2\.5\."),
        ({"y": np.zeros(3)}, r"same number of examples .* Received: x: 75, y: 3\."),
        ({"x": np.zeros((0, 6)), "y": np.zeros(0)}, r"x holds no examples"),
        ({"x": np.zeros((75, 5))}, r"x has shape \(75, 5\), the model takes \(None, 6\)\."),
        ({"y": np.full(75, 3)}, r"y holds class numbers from 3 to 3, the model has 3 outputs"),
    ],
    ids=lambda a: a if isinstance(a, str) else ",".join(a),
)
def test_wrong_arguments(arguments, message, data):
    x, y = data
    with pytest.raises(InputError, match=message):
        evaluate(mlp(), **{"x": x, "y": y, "verbose": 0, **arguments})


def test_a_model_must_be_compiled(data):
    model = keras.Sequential([keras.Input((FEATURES,)), SoftmaxHead(CLASSES)])
    with pytest.raises(InputError, match=r"evaluate needs a compiled model\. Call model\.compile"):
        evaluate(model, *data)


@pytest.mark.parametrize("known", [True, False])
def test_a_dataset_without_batches(known, data):
    dataset = tf.data.Dataset.from_tensor_slices(data).take(0).batch(4)
    if not known:
        dataset = dataset.filter(lambda x, y: True)
    with pytest.raises(InputError, match="x holds no batches"):
        evaluate(mlp(), dataset, verbose=0)
