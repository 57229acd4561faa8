"""Trains a model with ``model.fit`` and again with `fit`, and compares all that is left behind."""

import functools
import warnings
from typing import Any, NamedTuple

import keras
import numpy as np

from tests.seeds import set_seeds
from tfcourse import Adam, BatchNorm, SoftmaxHead, fit

layers = keras.layers
ROWS, FEATURES, CLASSES = 75, 6, 3  # 75 = 4 batches of 16 and one of 11
BATCH = 16


class Run(NamedTuple):
    """What one training left behind."""

    model: Any
    history: Any


def examples():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0.5)


def compiled(model, optimizer=None, **kwargs):
    kwargs = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **kwargs}
    model.compile(Adam(0.01) if optimizer is None else optimizer, **kwargs)
    return model


def network(*body, head=None, **kwargs):
    """A compiled stack of layers with a softmax of three classes on top, without metrics."""
    model = keras.Sequential([keras.Input((FEATURES,)), *body, head or SoftmaxHead(CLASSES)])
    return compiled(model, **{"metrics": None, **kwargs})


def small(**kwargs):
    """A network with a hidden layer and a metric, for what doesn't depend on the model."""
    return network(layers.Dense(4, activation="tanh"), **{"metrics": ["accuracy"], **kwargs})


def weighted():
    """The same with a metric that takes weights."""
    return small(weighted_metrics=["accuracy"])


def mlp(dropout=0.0, **kwargs):
    """Dense, batch norm, ReLU, dropout."""
    body = [layers.Dense(8, use_bias=False), BatchNorm(), layers.ReLU(), layers.Dropout(dropout)]
    return network(*body, **{"metrics": ["accuracy"], **kwargs})


def keras_fit(model, *args, **kwargs):
    """``model.fit``."""
    return model.fit(*args, **kwargs)


def both(make, data, jit_compile=False, own=None, **kwargs):
    """A model of ``make`` trained by ``model.fit``, and another one by `fit`.

    The data and the arguments that are functions are called for each of the two. What is
    `fit`'s ``own`` is not passed to ``model.fit``.
    """
    keras.utils.set_random_seed(7)
    theirs = make()
    keras.utils.set_random_seed(7)
    return _train((theirs, make()), data, {"jit_compile": jit_compile, **(own or {})}, kwargs)


def both_again(make, data, **kwargs):
    """The same with the two models of the last call, which begin as new ones do.

    Nothing is compiled anew, which is most of the time, and all of it for a callback.
    """
    return _train(as_new(make), data, {"jit_compile": False}, kwargs, set_seeds)


def as_new(make):
    """The two models that are kept for ``make``, in the state in which it made them."""
    models, state = _kept(make)
    for model in models:
        for variable, value in zip(_variables(model), state, strict=True):
            variable.assign(value)
        model._initial_epoch = None  # BackupAndRestore's
    return models


@functools.cache
def _kept(make):
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        models.append(make())
        models[-1].optimizer.build(models[-1].trainable_variables)
    return models, [variable.numpy() for variable in _variables(models[0])]


def _variables(model):
    return [*model.variables, *model.optimizer.variables]


def _train(models, data, own, kwargs, set_seeds=keras.utils.set_random_seed):
    runs = []
    for model, train, options in zip(models, (keras_fit, fit), ({}, own), strict=True):
        set_seeds(8)
        given = data() if callable(data) else data
        options = {"epochs": 2, "verbose": 0, "shuffle": False, **options, **kwargs}
        if isinstance(given[0], np.ndarray | dict | list | tuple):
            options = {"batch_size": BATCH, **options}
        options = {name: v() if callable(v) else v for name, v in options.items()}
        with warnings.catch_warnings():
            # Keras says so at the end of all data whose length it doesn't know.
            warnings.filterwarnings("ignore", "Your input ran out of data|The data ended after")
            runs.append(Run(model, train(model, *given, **options)))
    return runs


def assert_same(runs, tolerance=0.0):
    """Epochs, history, weights and optimizer variables are the same, by default to the last bit."""
    theirs, ours = runs
    assert ours.history.epoch == theirs.history.epoch
    assert_same_logs(ours.history.history, theirs.history.history, tolerance)
    assert_same_variables(ours.model, theirs.model, tolerance)
    assert_same_variables(ours.model.optimizer, theirs.model.optimizer, tolerance)


def assert_same_logs(ours, theirs, tolerance=0.0):
    assert list(ours) == list(theirs), "the names come in the same order"
    for name, values in theirs.items():
        assert [type(v) for v in ours[name]] == [type(v) for v in values]
        assert_close(ours[name], values, tolerance, name)


def assert_same_variables(ours, theirs, tolerance=0.0):
    assert len(ours.variables) == len(theirs.variables) > 0
    for a, b in zip(ours.variables, theirs.variables, strict=True):
        assert a.dtype == b.dtype
        assert_close(a.numpy(), b.numpy(), tolerance, a.path)


def assert_close(ours, theirs, tolerance, name):
    if tolerance:
        np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=0, err_msg=name)
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=name)
