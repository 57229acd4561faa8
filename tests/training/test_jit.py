"""The rule that chooses XLA, with fixed answers, so that a run repeats; what XLA can't compile."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import error_interpolation

from tests.training.parity import assert_same_variables
from tfcourse import InputError, evaluate, fit, predict
from tfcourse.internals.function_options import graph_optimization
from tfcourse.internals.tensorflow import fast_error_messages
from tfcourse.training.programs import jit
from tfcourse.training.programs.jit import choose_jit, choose_optimized
from tfcourse.training.programs.program_cache import program_cache

layers = keras.layers


def dense(units):
    return keras.Sequential([keras.Input((64,)), layers.Dense(units), layers.Dense(10)])


def recurrent(*recurrent_layers):
    return keras.Sequential([keras.Input((32, 8)), *recurrent_layers, layers.Dense(10)])


def embedding(mask_zero):
    embed = layers.Embedding(9, 8, mask_zero=mask_zero)
    return keras.Sequential([keras.Input((32,)), embed, layers.LSTM(32)])


def convolutional():
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten()])


# dense(64): 0.4 ms + 6·5 000·64·1e-8 ms = 0.42 ms a step: 2 s are reached at about 4 800 steps.
# GRU(38): 0.4 ms + 32·0.1 ms + 6·5 900·64·32·1e-8 ms = 4.3 ms a step: at about 460 steps.
# LSTM(32): XLA saves 0.3 ms + 0.15·0.68 ms = 0.4 ms a step, and one second after 2 500 steps.
@pytest.mark.parametrize(
    ("model", "shape", "steps", "chosen"),
    [
        (dense(64), (1000, 64), 170, False),
        (dense(64), (1000, 64), 4_000, False),
        (dense(64), (1000, 64), 5_500, True),
        (dense(4096), (1000, 64), 1_500, True),
        (recurrent(layers.GRU(38)), (1000, 32, 8), 420, False),
        (recurrent(layers.GRU(38)), (1000, 32, 8), 500, True),
        (recurrent(layers.LSTM(32)), (1000, 32, 8), 2_200, False),
        (recurrent(layers.LSTM(32)), (1000, 32, 8), 2_800, True),
        (recurrent(layers.LSTM(9, return_sequences=True), layers.LSTM(99)), (9, 32, 8), 500, True),
        (recurrent(layers.Masking(), layers.LSTM(32)), (1000, 32, 8), 500, True),
        (embedding(mask_zero=True), (1000, 32), 550, True),
        (embedding(mask_zero=False), (1000, 32), 550, False),
        (convolutional(), (1000, 8, 8, 1), 10**9, False),
    ],
)
def test_choice(model, shape, steps, chosen):
    assert choose_jit(model, tf.zeros(shape), 64, steps) is chosen


def test_a_convolution_inside_another_model_counts():
    nested = keras.Sequential([keras.Input((8, 8, 1)), convolutional(), layers.Dense(3)])
    assert choose_jit(nested, tf.zeros((9, 8, 8, 1)), 64, 10**9) is False


@pytest.mark.parametrize("keras_compiles", [True, False])
@pytest.mark.parametrize("make", [lambda: dense(64), convolutional], ids=["dense", "convolutional"])
def test_the_choice_on_a_gpu_is_by_steps(make, keras_compiles, monkeypatch):
    """Where Keras compiles, as it does there by default: else the model has declined it."""
    monkeypatch.setattr(jit, "_on_gpu", lambda: True)
    model = make()
    model.compile("sgd", "mse", jit_compile=keras_compiles)
    sample = tf.zeros((64, *model.input_shape[1:]))
    assert choose_jit(model, sample, 64, 2000) is keras_compiles
    assert choose_jit(model, sample, 64, 1999) is False
    assert choose_jit(model, sample, 64, None) is False


def doubled_in_python(x):
    return tf.ensure_shape(tf.numpy_function(lambda a: a * 2, [x], tf.float32), x.shape)


def beyond_xla():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((4,))
    x = layers.Lambda(doubled_in_python, name="doubled")(x)
    model = keras.Model(inputs, layers.Dense(1, name="last")(layers.Dropout(0.5)(x)))
    model.compile("sgd", "mse")
    return model


X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = X[:, :1]
DATA = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": 16},
    "dataset": lambda: {"x": tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)},
}


@pytest.mark.parametrize("form", DATA)
def test_what_xla_cant_compile_is_trained_without(form, monkeypatch):
    """From the first batch on, though a stream's batches can't be taken twice."""
    monkeypatch.setattr("tfcourse.training.programs.jit.choose_jit", lambda *_: True)
    options = {"epochs": 2, "shuffle": False, "verbose": 0}
    theirs, ours = beyond_xla(), beyond_xla()
    expected = theirs.fit(X, Y, validation_data=(X, Y), batch_size=16, **options)
    found = fit(ours, **DATA[form](), validation_data=(X, Y), validation_batch_size=16, **options)
    assert found.history == expected.history
    assert_same_variables(ours, theirs)


@pytest.mark.parametrize("form", DATA)
def test_xla_that_is_asked_for_and_cant_be_had_is_said(form, monkeypatch):
    model = beyond_xla()
    before = model.get_weights()
    monkeypatch.setattr("tfcourse.training.programs.jit.choose_jit", lambda *_: True)
    message = (
        r"^XLA can't compile this model: it has no operation \"PyFunc\", which layer \"doubled\" "
        r"uses\. Pass jit_compile=False\.$"
    )
    with pytest.raises(InputError, match=message):
        fit(model, **DATA[form](), verbose=0, jit_compile=True)
    assert int(model.optimizer.iterations) == 0
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(InputError, match=message):
        evaluate(model, **DATA[form](), verbose=0, jit_compile=True)
    x = {k: v for k, v in DATA[form]().items() if k != "y"}
    with pytest.raises(InputError, match=message):
        predict(model, **x, verbose=0, jit_compile=True)
    fit(model, **DATA[form](), verbose=0)  # and "auto" after it
    assert int(model.optimizer.iterations) == 3
    with pytest.raises(InputError, match=message):
        fit(model, **DATA[form](), verbose=0, jit_compile=True)


def test_the_message_of_an_error_is_read_as_tensorflow_reads_it():
    """With tags and without, a function's, which are left out, and braces that are none."""
    node, function = "a {{node last/x_1}} b", "{{function_node loop}} c"
    several = node + function + " } }}"
    messages = ["", "}}", "{{", "x {{y}} z", node, function, several, "{{node x}}"]
    parse = error_interpolation.parse_message
    expected = [parse(message) for message in messages]
    assert [len(nodes) for _, _, nodes in expected] == [0, 0, 0, 0, 1, 0, 1, 1]
    with fast_error_messages():
        assert [error_interpolation.parse_message(message) for message in messages] == expected
    assert error_interpolation.parse_message is parse
    first = fast_error_messages()
    with first:
        second = fast_error_messages()
        second.__enter__()
    second.__exit__(None, None, None)
    assert error_interpolation.parse_message is parse, "of two threads the later one to leave"


def test_a_validation_is_weighed_by_its_own_steps(monkeypatch):
    """One step an epoch, beside three of the training's: a third of them is too few here."""
    monkeypatch.setattr(jit, "WORTH_COMPILING", 3 * 0.4e-3 * 4)  # between those of 3 and 9 steps
    for count, batch_size in ((16, 16), (40, 4)):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        fit(
            model,
            X,
            Y,
            batch_size=16,
            epochs=1,
            verbose=0,
            validation_data=(X[:count], Y[:count]),
            validation_batch_size=batch_size,
            jit_compile=jit.Auto(trainings=5),
        )
        compiled = {key[0]: key[2] for key in program_cache(model).programs}
        assert compiled == {"train": True, "test": batch_size == 4}


def test_one_of_many_trainings_is_for_fit_alone():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    for refuses in (evaluate, predict):
        with pytest.raises(InputError, match=r'jit_compile must be True, False or "auto"\.'):
            refuses(model, X, verbose=0, jit_compile=jit.Auto(trainings=5))


# 0.42 ms a step of dense(64) make 1 s at about 2 400 steps, 4.3 ms one of GRU(38) at about 230.
@pytest.mark.parametrize(
    ("model", "shape", "steps", "chosen"),
    [
        (dense(64), (1000, 64), 2_200, False),
        (dense(64), (1000, 64), 2_600, True),
        (dense(64), (1000, 64), None, True),
        (recurrent(layers.GRU(38)), (1000, 32, 8), 210, False),
        (recurrent(layers.GRU(38)), (1000, 32, 8), 250, True),
        (convolutional(), (1000, 8, 8, 1), 1, True),
    ],
)
def test_the_choice_to_optimize_a_graph(model, shape, steps, chosen, monkeypatch):
    assert choose_optimized(model, tf.zeros(shape), 64, steps) is chosen
    monkeypatch.setattr(jit, "_on_gpu", lambda: True)
    assert choose_optimized(model, tf.zeros(shape), 64, steps) is True


def test_a_graph_of_many_trainings_is_optimized_once_for_all():
    sample = tf.zeros((1000, 64))
    assert [jit.Auto(n).optimizes(dense(64), sample, 64, 1000) for n in (1, 3)] == [False, True]
    assert jit.Auto(0.5).optimizes(dense(64), sample, 64, None) is True


def cubed(x):
    """TensorFlow's optimization makes two products of it, which round otherwise."""
    return tf.pow(x, 3.0)


def test_a_graph_is_optimized_or_runs_as_it_is():
    x = tf.constant(np.random.default_rng(0).normal(size=10_000).astype("float32"))
    as_it_is = cubed(x).numpy()
    assert (as_it_is != (x * x * x).numpy()).any(), "a positive control"
    function = tf.function(cubed)
    for wanted in (False, True, False):
        with graph_optimization(wanted):
            found = function(x).numpy()
        assert (found == as_it_is).all() == (not wanted)
    assert (tf.function(cubed)(x).numpy() != as_it_is).any(), "the user's functions as ever"


@pytest.mark.parametrize("form", DATA)
@pytest.mark.parametrize("jit_compile", ["auto", False])
def test_few_steps_are_not_worth_it(form, jit_compile, monkeypatch):
    """Of training and validation; with False the numbers are Keras's, and so is the graph."""
    wanted = []

    def spy(optimized):
        wanted.append(optimized)
        return graph_optimization(optimized)

    for module in ("fallback", "stream"):
        monkeypatch.setattr(f"tfcourse.training.programs.{module}.graph_optimization", spy)
    data = {**DATA[form](), "validation_data": (X, Y), "verbose": 0, "jit_compile": jit_compile}
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    fit(model, **data)
    assert len(wanted) >= 2
    assert set(wanted) == {jit_compile is False}
    wanted.clear()
    monkeypatch.setattr(jit, "WORTH_OPTIMIZING", 0.0)
    fit(model, **data)
    assert set(wanted) == {True}
