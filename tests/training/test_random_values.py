"""Random weights of many seeds are those of Keras's initializers, to the last bit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcourse.training.reuse import random_values
from tfcourse.training.reuse.random_values import CALLS_BEFORE_TRACE, RandomValues

initializers = keras.initializers
KERAS = {
    "glorot_uniform": initializers.GlorotUniform(),
    "glorot_normal": initializers.GlorotNormal(),
    "he_uniform": initializers.HeUniform(),
    "he_normal": initializers.HeNormal(),
    "lecun_normal": initializers.LecunNormal(),
    "orthogonal": initializers.Orthogonal(gain=0.5),
    "normal": initializers.RandomNormal(0.1, 0.3),
    "truncated_normal": initializers.TruncatedNormal(stddev=0.2),
    "uniform": initializers.RandomUniform(-0.3, 0.7),
    "untruncated": initializers.VarianceScaling(2.0, "fan_avg", "untruncated_normal"),
}
SEEDS = [(3 * n, 999_999_999 - n) for n in range(CALLS_BEFORE_TRACE + 5)]


def expected(initializer, shape, dtype, seed):
    """What Keras gives to a new initializer of that seed."""
    of_seed = type(initializer).from_config({**initializer.get_config(), "seed": seed})
    return of_seed(shape, dtype=dtype).numpy()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", KERAS)
def test_each_initializer_of_keras(name, dtype):
    if (name, dtype) == ("orthogonal", "float16"):
        dtype = "float64"  # there is no QR decomposition of float16
    initializer, shapes = KERAS[name], {7: (5, 3), 2: (3, 4)}
    weights = {7: (initializer, shapes[7], dtype, 1), 2: (initializer, shapes[2], dtype, 0)}
    values = RandomValues(weights)
    assert values.seeds == 2
    for seeds in SEEDS:
        drawn = values(seeds)
        for number, index in ((7, 1), (2, 0)):
            np.testing.assert_array_equal(
                drawn[number].numpy(), expected(initializer, shapes[number], dtype, seeds[index])
            )
    assert values._trace is not None, "the last ones are of the trace"


class InAGraph(initializers.RandomNormal):
    """Gives other values where a trace is made."""

    def __call__(self, shape, dtype=None):
        values = keras.random.normal(shape, dtype=dtype, seed=self.seed)
        return values if tf.executing_eagerly() else 2 * values


class OfNumpy(initializers.RandomNormal):
    """Can't be traced: it needs the seed as a number."""

    def __call__(self, shape, dtype=None):
        return tf.constant(np.random.default_rng(self.seed).normal(size=shape), dtype)


@pytest.mark.parametrize("kind", [InAGraph, OfNumpy])
def test_an_initializer_that_a_trace_changes_is_never_traced(kind):
    values = RandomValues({0: (kind(seed=1), (2, 3), "float32", 0)})
    for seeds in SEEDS:
        other = kind(seed=seeds[0])((2, 3), dtype="float32")
        np.testing.assert_array_equal(values(seeds)[0].numpy(), other.numpy())
    assert values._trace is None


def test_the_seed_of_an_initializer_stays():
    initializer = initializers.GlorotUniform(seed=5)
    values = RandomValues({0: (initializer, (2, 3), "float32", 0)})
    for seeds in SEEDS:
        values(seeds)
    assert initializer.seed == 5


def test_a_model_without_random_weights(monkeypatch):
    monkeypatch.setattr(random_values, "CALLS_BEFORE_TRACE", 1)
    values = RandomValues({})
    assert values.seeds == 0
    assert values([]) == values([]) == {}
