"""Small data and models for the tests of populations, and their models trained alone."""

import keras
import numpy as np

import tfcourse
from tfcourse import Adam, BatchNorm, Member, SoftmaxHead

CLASSES, FEATURES = 3, 5
EXAMPLES, BATCH = 50, 16  # the last batch has 2


def data(seed=0, examples=EXAMPLES):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(examples, FEATURES)).astype("float32")
    y = (x @ rng.normal(size=(FEATURES, CLASSES))).argmax(-1)
    return x, y


def mlp(optimizer=Adam, **hyperparameters):
    """A compiled model with batch norm, after a Dense without a bias."""
    model = keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(6, use_bias=False),
            BatchNorm(),
            keras.layers.Activation("relu"),
            SoftmaxHead(CLASSES),
        ]
    )
    return compiled(model, optimizer(**hyperparameters))


def compiled(model, optimizer=None):
    metrics = ["accuracy"]
    optimizer = optimizer or Adam(0.02)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=metrics)
    return model


def members(count, **values):
    """Members with seeds 10, 11, ...; ``values`` hold a list each."""
    return [
        Member(10 + i, {name: listed[i] for name, listed in values.items()}) for i in range(count)
    ]


def built(build, member):
    """The model that the member is, before its training."""
    keras.utils.set_random_seed(member.seed)
    model = build()
    for name, value in member.hyperparameters.items():
        setattr(model.optimizer, name, value)
    return model


def alone(build, member, x, y, **options):
    """A model trained alone by ``fit``, and its history."""
    model = built(build, member)
    options = {"batch_size": BATCH, "verbose": 0, "seed": member.seed, **options}
    return model, tfcourse.fit(model, x, y, **options).history


def population(build, chosen, x, y, **options):
    """A population's history; the weights are those of the last epoch."""
    options = {"batch_size": BATCH, "verbose": 0, "keep": "last", "jit_compile": False, **options}
    return tfcourse.fit_population(build, chosen, x, y, **options)


def assert_same_history(history, expected, tolerance=1e-5):
    assert set(history) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, tolerance, tolerance, err_msg=name)


def assert_same_weights(weights, expected, tolerance=1e-5):
    assert len(weights) == len(expected)
    for ours, theirs in zip(weights, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, tolerance, tolerance)
