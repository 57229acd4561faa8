"""`fit` with ``"auto"`` where XLA would leave out a check, or end the process."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfcourse
from tests.processes import run
from tfcourse import InputError, Member, evaluate, fit, fit_population, predict
from tfcourse.errors import message_line
from tfcourse.training.data.compilation import Compilation
from tfcourse.training.programs.program_cache import program_cache

layers = keras.layers
X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = (X[:, 0] > 0).astype("float32")
IDS = np.arange(72).reshape(24, 3) % 10
WORDS = np.array(["red", "green", "x y"])[np.arange(24) % 3][:, None]


@pytest.fixture
def always(monkeypatch):
    """Has ``"auto"`` choose XLA for any work."""
    monkeypatch.setattr("tfcourse.training.programs.jit.choose_jit", lambda *_: True)


def model_of(*parts, optimizer="sgd", metrics=()):
    head = [layers.Flatten(), layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential([*parts, *head])
    model.compile(optimizer, "binary_crossentropy", metrics=list(metrics))
    return model


def computed(function, *shape):
    return layers.Lambda(function, output_shape=shape)


def gathered(x):
    return tf.gather(tf.linspace(0.0, 1.0, 4), tf.cast(tf.abs(x * 5), "int32"))


def asserted(x):
    tf.debugging.assert_less(x, 0.5, message="too large")
    return x


def without_x(text):
    parts = tf.strings.split(text[:, 0]).to_tensor("", shape=(None, 2))
    return tf.cast(parts == "x", "float32")


def text_model():
    return model_of(keras.Input((1,), dtype="string"), computed(without_x, 2))


def under_xla(model):
    """Which of the model's programs XLA compiles."""
    programs = {key[0]: program for key, program in program_cache(model).programs.items()}
    return {kind: getattr(program, "jit_compile", None) for kind, program in programs.items()}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: model_of(computed(gathered, 3)), r"indices\[.*\] = \d+ is not in \[0, 4\)"),
        (lambda: model_of(computed(asserted, 3)), r"assertion failed: \[too large\]"),
    ],
)
def test_auto_keeps_the_checks_of_a_cpu(always, make, reason):
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        fit(make(), X, Y, verbose=0)
    assert re.match(reason, message_line(raised.value))
    model = make()
    with pytest.raises(tf.errors.InvalidArgumentError):
        fit(model, X * 0, Y, validation_data=(X, Y), verbose=0)
    fit(make(), X, Y, verbose=0, jit_compile=True)  # as it is documented


def test_ids_of_a_stream_and_unchecked_ones_are_checked_by_the_kernel(always):
    bad = IDS.copy()
    bad[5, 1] = 10
    stream = tf.data.Dataset.from_tensor_slices((bad, Y)).batch(8)
    for arguments in ({"x": stream}, {"x": bad, "y": Y, "check_data": False}):
        model = model_of(layers.Embedding(10, 2))
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 10 is not in \[0, 10\)"):
            fit(model, **arguments, verbose=0)
    fit(model, IDS, Y, verbose=0)  # the same model with ids that are known to be in range
    assert True in {getattr(p, "jit_compile", None) for p in program_cache(model).programs.values()}


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", keras.optimizers.Adam(use_ema=True)])
def test_checked_ids_stay_with_xla(always, optimizer):
    model = model_of(layers.Embedding(10, 2), optimizer=optimizer, metrics=["accuracy", "auc"])
    fit(model, IDS, Y, batch_size=10, validation_data=(IDS, Y), verbose=0)
    assert under_xla(model) == {"train": True, "test": True}


def test_ids_are_named_in_a_validation_an_evaluation_and_a_prediction():
    model = model_of(layers.Embedding(9, 2))
    wrong = r'^x{} holds the id 9 in row 3, but layer "[^"]+" takes ids from 0 to 8'
    with pytest.raises(InputError, match=wrong.format(" of validation_data")):
        fit(model, IDS % 9, Y, validation_data=(IDS, Y), verbose=0)
    with pytest.raises(InputError, match=wrong.format("")):
        evaluate(model, IDS, Y, verbose=0)
    with pytest.raises(InputError, match=wrong.format("")):
        predict(model, IDS, verbose=0)


def test_ids_that_keras_takes_are_taken():
    """It counts negative ids from the end; what a layer computes from x is not x."""
    with pytest.warns(UserWarning, match=r"^x holds the id -1, .* takes row 9: Keras counts"):
        fit(model_of(layers.Embedding(10, 2)), IDS - 1, Y, verbose=0)
    for before in (layers.Rescaling(0.1), layers.IntegerLookup(vocabulary=[1, 2])):
        fit(model_of(before, layers.Embedding(5, 2)), IDS, Y, verbose=0)
    fit(model_of(layers.Embedding(10, 2)), IDS + 0.9, Y, verbose=0)  # cut, as by Keras


def test_a_population_keeps_them_too():
    def build():
        activation = layers.Activation(gathered)
        return model_of(keras.Input((3,)), activation, optimizer=tfcourse.GradientDescent(0.1))

    members = [Member(0), Member(1)]
    many = tfcourse.training.programs.jit.Auto(1e9)
    history = fit_population(build, members, X / 10, Y, verbose=0, jit_compile=many)
    assert not history.jit_compile


def test_strings_are_never_given_to_xla():
    """TensorFlow ends the process where XLA has compiled anything before."""
    code = """
from tests.training.test_xla_checks import *
from tfcourse.training.programs import jit
jit.WORTH_COMPILING = 0
model = model_of(layers.Dense(1))
fit(model, X, Y, verbose=0)
assert under_xla(model) == {"train": True}
model = text_model()
fit(model, WORDS, Y, validation_data=(WORDS, Y), verbose=0)
for call in (fit, evaluate, lambda model, x, y, **options: predict(model, x, **options)):
    try:
        call(model, WORDS, Y, verbose=0, jit_compile=True)
    except InputError as error:
        print(error)
"""
    said = run(["-c", code]).stdout.splitlines()
    assert len(said) == 3
    message = "XLA can't compile this model: it works on strings"
    assert all(line.startswith(message) for line in said)


class OwnLoss(keras.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        return loss + tf.reduce_sum(gathered(1 + y_pred))


def own_metric(y, outputs):
    return tf.reduce_sum(gathered(1 + 5 * y))


def with_own_loss():
    model = OwnLoss([keras.Input((3,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    return model


class Embedding(layers.Layer):
    """Of the user's own, and named by Keras as its own is."""

    def call(self, x):
        return gathered(x)


def two_embeddings():
    ids, numbers = keras.Input((3,)), keras.Input((3,))
    parts = [layers.Flatten()(layers.Embedding(10, 2)(ids)), Embedding()(numbers)]
    head = layers.Dense(1, activation="sigmoid")(layers.Concatenate()(parts))
    model = keras.Model([ids, numbers], head)
    model.compile("sgd", "binary_crossentropy")
    return model


@pytest.mark.parametrize(
    ("make", "x"),
    [
        (with_own_loss, X),
        (lambda: model_of(metrics=[own_metric]), X),
        (two_embeddings, [IDS, X]),
    ],
    ids=["loss", "metric", "embedding"],
)
def test_what_is_the_users_own_is_not_known_to_be_safe(always, make, x):
    with pytest.raises(tf.errors.InvalidArgumentError):
        fit(make(), x, Y, verbose=0)


def test_a_population_without_xla_is_not_taken_where_xla_is_asked_for():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(tfcourse.GradientDescent(0.1), "mse")
    population = tfcourse.training.population.population.Population(model)
    known = {}
    for required in (False, True):
        step, _ = population.prepare((X[:8], Y[:8, None]))
        program = population.program(step, 8, 8, Compilation(True, True, required))
        known[required] = program
        if not required:
            program._compile(jit_compile=False)  # as where XLA would leave out a check
    assert known[True] is not known[False]
    assert known[True].jit_compile
    assert population.program(step, 8, 8, Compilation(True, True, required=False)) is known[True]


def test_data_that_reach_no_embedding_are_not_copied(monkeypatch):
    images, ids = keras.Input((4, 5)), keras.Input((3,))
    parts = [layers.Permute((2, 1))(images), layers.Embedding(10, 2)(layers.Reshape((3,))(ids))]
    joined = layers.Concatenate()([layers.Flatten()(part) for part in parts])
    model = keras.Model([images, ids], layers.Dense(1, activation="sigmoid")(joined))
    model.compile("sgd", "binary_crossentropy")
    monkeypatch.setattr(layers.Permute, "call", lambda *_: pytest.fail("it was moved"))
    with pytest.raises(InputError, match="holds the id 10 in row 0"):
        evaluate(model, [np.zeros((24, 4, 5)), IDS + 10], Y, verbose=0)
