"""The multi-layer perceptron: blocks of Dense → BatchNorm → activation, a softmax (course 2.2)."""

import re

import keras
import numpy as np
import pytest

from tfcourse import BatchNorm, InputError, SoftmaxHead
from tfcourse.layers.dropout import Dropout
from tfcourse.models import linear, mlp
from tfcourse.models.build import BUILDERS

DENSE, BN, ACTIVATION = keras.layers.Dense, BatchNorm, keras.layers.Activation
FLATTEN, DROPOUT = keras.layers.Flatten, Dropout


def kinds(model):
    return [type(layer) for layer in model.layers]


@pytest.mark.parametrize(
    ("arguments", "block"),
    [
        ({}, [DENSE, BN, ACTIVATION]),
        ({"batch_norm": "before_activation"}, [DENSE, BN, ACTIVATION]),
        ({"batch_norm": "after_activation"}, [DENSE, ACTIVATION, BN]),
        ({"batch_norm": "none"}, [DENSE, ACTIVATION]),
        ({"dropout": 0.5}, [DENSE, BN, ACTIVATION, DROPOUT]),
        ({"dropout": 0.5, "batch_norm": "after_activation"}, [DENSE, ACTIVATION, BN, DROPOUT]),
    ],
    ids=["default", "before", "after", "none", "dropout", "after and dropout"],
)
@pytest.mark.parametrize("layers", [1, 3])
def test_the_blocks(arguments, block, layers):
    assert kinds(mlp((4,), 3, layers=layers, **arguments)) == layers * block + [SoftmaxHead]


@pytest.mark.parametrize(
    ("batch_norm", "use_bias"),
    [("before_activation", False), ("after_activation", True), ("none", True)],
)
def test_a_dense_before_batch_norm_has_no_bias(batch_norm, use_bias):
    """The mean would cancel it; after the activation it is not cancelled (course 2.4)."""
    model = mlp((4,), 3, layers=2, batch_norm=batch_norm)
    assert [d.use_bias for d in model.layers if isinstance(d, DENSE)] == [use_bias] * 2


def test_the_sizes():
    model = mlp((5,), 3, layers=2, units=7, dropout=0.25)
    assert model.output_shape == (None, 3)
    shapes = [tuple(w.shape) for w in model.trainable_weights]
    assert shapes == [(5, 7), (7,), (7,), (7, 7), (7,), (7,), (7, 3), (3,)]
    assert [d.rate for d in model.layers if isinstance(d, DROPOUT)] == [0.25] * 2


@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky_relu"])
def test_the_activation(activation):
    (layer,) = (
        a
        for a in mlp((4,), 3, layers=1, activation=activation).layers[:-1]
        if type(a) is ACTIVATION
    )
    x = np.linspace(-2, 2, 5, dtype=np.float32)
    np.testing.assert_array_equal(layer(x), keras.activations.get(activation)(x))


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4)])
def test_images_are_flattened(shape):
    model = mlp(shape, 3, layers=1)
    assert kinds(model)[0] is FLATTEN
    assert model.layers[1].kernel.shape[0] == np.prod(shape)
    assert model(np.zeros((2, *shape))).shape == (2, 3)


def test_it_is_a_keras_model_that_gives_probabilities(rng):
    model = mlp([4], 3)
    assert not model.compiled
    np.testing.assert_allclose(
        np.sum(model(rng.normal(size=(6, 4))), axis=1), np.ones(6), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"layers": 0}, "mlp: layers must be a whole number >= 1. Received: 0."),
        ({"layers": True}, "mlp: layers must be a whole number >= 1. Received: True."),
        ({"units": 0}, "mlp: units must be a whole number >= 1. Received: 0."),
        ({"units": 2.5}, "mlp: units must be a whole number >= 1. Received: 2.5."),
        ({"dropout": 1.0}, "mlp: dropout must be a number in [0, 1). Received: 1.0."),
        ({"dropout": -0.1}, "mlp: dropout must be a number in [0, 1). Received: -0.1."),
        (
            {"batch_norm": "after_activatoin"},
            'mlp: batch_norm must be one of "before_activation", "after_activation", "none". '
            "Received: 'after_activatoin'. Did you mean \"after_activation\"?",
        ),
        ({"batch_norm": True}, "Received: True."),
        ({"activation": "relux"}, "Received: 'relux'. Did you mean \"relu\"?"),
    ],
    ids=str,
)
def test_inadmissible_arguments(arguments, said):
    with pytest.raises(InputError, match=re.escape(said)):
        mlp((4,), 3, **arguments)


def test_one_class_is_none():
    with pytest.raises(ValueError, match="classes must be a whole number >= 2"):
        mlp((4,), 1)


def test_the_builders_that_a_config_can_name():
    assert BUILDERS["mlp"] is mlp
    for build in BUILDERS.values():
        model = build((8, 8, 1), 4)
        assert isinstance(model, keras.Model)
        assert model.output_shape == (None, 4)


@pytest.mark.parametrize("build", [mlp, linear])
def test_indices_are_embedded(build, rng):
    """In NumPy: rows of the embeddings beside the numbers, then the layers of the flat model."""
    shape = {"features": (2, 2), "city": (1,), "road": (1,)}
    model = build(shape, 3, levels={"city": 9, "road": 401})
    x = {
        "features": rng.normal(size=(5, 2, 2)).astype("float32"),
        "city": rng.integers(0, 9, (5, 1)),
        "road": rng.integers(0, 401, (5, 1)),
    }
    tables = [w for w in model.get_weights() if w.shape in ((9, 4), (401, 50))]
    city, road = sorted(tables, key=len)
    rows = np.concatenate([x["features"].reshape(5, 4), city[x["city"][:, 0]]], axis=1)
    rows = np.concatenate([rows, road[x["road"][:, 0]]], axis=1)
    flat = build((58,), 3)
    flat.set_weights(model.get_weights()[len(tables) :])
    np.testing.assert_allclose(model(x), flat(rows), rtol=1e-5, atol=1e-7)


def test_a_single_index():
    assert mlp({"city": (1,)}, 2, levels={"city": 2})({"city": np.array([[1]])}).shape == (1, 2)


def test_levels_of_what_is_no_input():
    with pytest.raises(InputError, match=r"levels must name inputs of a dict, \[\]. Received:"):
        mlp((4,), 2, levels={"city": 9})
