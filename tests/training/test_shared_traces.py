"""A new model of a known structure runs another model's traces, with its own numbers."""

import gc
import weakref

import keras
import numpy as np
import pytest

from tests.training.reusable import CLASSES, MODELS, SHAPE, X, Y, build, same
from tfcourse import SoftmaxHead
from tfcourse.training.fit import fit

layers = keras.layers
X, Y = X.numpy(), Y.numpy()


def train(model, fit=fit, batch_size=16, **arguments):
    history = fit(
        model, X, Y, batch_size=batch_size, epochs=2, verbose=0, shuffle=False,
        validation_data=(X[:10], Y[:10]), **arguments,
    ).history  # fmt: skip
    return history, model.get_weights()


def traces(model):
    return [program.traces for program in model._tfcourse_programs.programs.values()]


def small(*body, compile_arguments=None, seed=1, **hyperparameters):
    def make():
        return keras.Sequential(
            [keras.Input(SHAPE), layers.Flatten(), *body, layers.Dense(4), SoftmaxHead(CLASSES)]
        )

    return build(make, seed, compile_arguments, **hyperparameters)


@pytest.mark.parametrize("name", MODELS)
def test_the_numbers_are_those_of_model_fit(name):
    first = build(MODELS[name], 1, learning_rate=0.3)
    train(first, jit_compile=False)
    new, reference = (build(MODELS[name], 2, learning_rate=0.02, beta_1=0.8) for _ in range(2))
    for _ in range(2):
        assert same(train(new, jit_compile=False), train(reference, keras.Model.fit))
    assert (traces(first), traces(new)) == ([1, 1], [0, 0])


def test_under_xla_a_new_model_is_not_compiled_again():
    train(small(learning_rate=0.3), jit_compile=True)
    new = small(seed=2)
    history, weights = train(new, jit_compile=True)
    assert traces(new) == [0, 0]
    expected, expected_weights = train(small(seed=2), keras.Model.fit)
    np.testing.assert_allclose(history["val_loss"], expected["val_loss"], rtol=1e-5)
    for found, weight in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(found, weight, atol=1e-5)


def doubled(y_true, y_pred):
    return 2 * keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


OTHERS = {
    "a layer more": lambda: small(layers.Dense(4)),
    "another activation": lambda: small(layers.ReLU()),
    "another loss": lambda: small(compile_arguments={"loss": "sparse_categorical_crossentropy",
                                                     "metrics": []}),
    "a loss of the user's": lambda: small(compile_arguments={"loss": doubled}),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_another_structure_is_traced(name):
    train(small(), jit_compile=False)
    found = OTHERS[name]()
    result = train(found, jit_compile=False)
    assert traces(found) == [1, 1]
    assert same(result, train(OTHERS[name](), keras.Model.fit))


def test_code_of_the_user_is_traced_for_every_model():
    models = [small(compile_arguments={"loss": doubled}) for _ in range(2)]
    for model in models:
        train(model, jit_compile=False)
    assert [traces(model) for model in models] == [[1, 1], [1, 1]]


def test_what_was_frozen_after_the_first_trace_is_trained_in_no_other_model():
    """As in Keras, the first model trains on what it was compiled with."""
    first = small()
    train(first, jit_compile=False)
    first.layers[1].trainable = False
    train(first, batch_size=18, jit_compile=False)
    frozen = small()
    frozen.layers[1].trainable = False
    frozen.compile(frozen.optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = frozen.layers[1].get_weights()
    train(frozen, batch_size=18, jit_compile=False)
    after = frozen.layers[1].get_weights()
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


def test_a_trace_keeps_no_weights():
    model = small()
    train(model, jit_compile=False)
    weights = [weakref.ref(variable.value) for variable in model.variables]
    del model
    gc.collect()
    assert [weight() for weight in weights] == [None] * len(weights)
    new = small()
    train(new, jit_compile=False)
    assert traces(new) == [0, 0]
