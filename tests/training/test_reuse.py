"""A training in a kept model is that of a new one, bit for bit; or the model is not kept."""

import gc
import logging
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training import reusable
from tests.training.reusable import MODELS, UNSAFE, X, Y, alone, build, lend, same, stack, train
from tfcourse.training.reuse import pool as pool_module
from tfcourse.training.reuse.pool import ModelPool
from tfcourse.training.reuse.seeding import set_seed
from tfcourse.training.reuse.structure import structure

pytestmark = pytest.mark.slow

layers = keras.layers
SAMPLE = (X[:16], Y[:16])


@pytest.fixture
def warned(caplog):
    caplog.set_level(logging.WARNING, "tfcourse")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "tfcourse"]


class TestSeeds:
    """A seed gives the numbers that Keras's own ``set_random_seed`` gives, every time it is set."""

    DRAWS = {
        "Keras": lambda: keras.random.normal(()),
        "TensorFlow": lambda: tf.random.normal(()),
        "an operation with its own seed": lambda: tf.random.normal((), seed=7),
    }

    @pytest.mark.parametrize("name", DRAWS)
    def test_a_seed_that_comes_again(self, name):
        def drawn(set_seed, seed):
            set_seed(seed)
            return [float(self.DRAWS[name]()) for _ in range(2)]

        expected = {seed: drawn(keras.utils.set_random_seed, seed) for seed in (5, 6)}
        for seed in (5, 5, 6, 5, 6, 6):
            assert drawn(set_seed, seed) == expected[seed]

    def test_tensorflow_keeps_its_programs_while_seeds_are_new(self, monkeypatch):
        for _ in range(2):
            set_seed(0)
        emptied = []
        monkeypatch.setattr(keras.utils, "set_random_seed", emptied.append)
        for seed in range(1, 40):
            set_seed(seed)
        assert emptied == []


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_is_trained_again_from_fresh_state(name, warned):
    pool, make = ModelPool(2), MODELS[name]
    first, _ = lend(pool, make, 1, learning_rate=0.3)
    again, result = lend(pool, make, 2, learning_rate=0.02, beta_1=0.8)
    assert same(result, alone(make, 2, learning_rate=0.02, beta_1=0.8))
    assert again is first and (pool.counts.new, pool.counts.reused) == (1, 1)
    assert warned() == []
    traces = pool.counts.traces
    assert same(lend(pool, make, 2, learning_rate=0.02, beta_1=0.8)[1], result)
    assert pool.counts.traces == traces == 2  # training and validation


def test_a_training_that_diverged_leaves_nothing_behind():
    pool = ModelPool(1)
    _, (history, _) = lend(pool, MODELS["convnet"], 1, learning_rate=1e38)
    assert not np.isfinite(history["loss"][-1])
    assert same(lend(pool, MODELS["convnet"], 2)[1], alone(MODELS["convnet"], 2))
    assert pool.counts.reused == 1


@pytest.mark.parametrize("sizes", [(16, 9, 12, 16, 7)])
def test_batch_sizes_share_a_model_and_but_for_even_ones_its_program(sizes):
    """36 examples: 9 and 12 divide them, and are part of a program of their own."""
    pool, make = ModelPool(1), MODELS["convnet"]
    traces = []
    for seed, size in enumerate(sizes):
        _, result = lend(pool, make, seed, size)
        assert same(result, alone(make, seed, size))
        traces.append(pool.counts.traces)
    assert (pool.counts.new, pool.counts.reused) == (1, len(sizes) - 1)
    assert np.diff(traces).tolist() == [1, 1, 0, 0]


class TestArchitectures:
    """What another program would be needed for is another model; names and seeds are not."""

    DIFFERENT = {
        "units": (lambda: stack(layers.Dense(3)), lambda: stack(layers.Dense(4))),
        "activation": (lambda: stack(layers.Dense(3)), lambda: stack(layers.Dense(3, "relu"))),
        "Keras's dropout": (lambda: stack(layers.Dropout(0.1)), lambda: stack(layers.Dropout(0.2))),
        "regularizer": (
            lambda: stack(layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.1))),
            lambda: stack(layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.2))),
        ),
        "an own layer's number": (
            lambda: reusable.with_own_layer(1.5),
            lambda: reusable.with_own_layer(2.5),
        ),
        "trainable": (
            lambda: stack(layers.Dense(3)),
            lambda: stack(layers.Dense(3, trainable=False)),
        ),
        "precision": (
            lambda: stack(layers.Dense(3)),
            lambda: stack(layers.Dense(3, dtype="mixed_bfloat16")),
        ),
        "a value in a closure": (
            reusable.lambda_of((lambda k: lambda x: x * k)(2.0)),
            reusable.lambda_of((lambda k: lambda x: x * k)(3.0)),
        ),
        "a default": (
            reusable.lambda_of(lambda x, k=2.0: x * k),
            reusable.lambda_of(lambda x, k=3.0: x * k),
        ),
        "an own activation": (
            lambda: stack(layers.Dense(3, activation=lambda x: x * 2)),
            lambda: stack(layers.Dense(3, activation=lambda x: x * 3)),
        ),
        "an array of constants": (
            lambda: stack(layers.Normalization(mean=0.5, variance=1.0)),
            lambda: stack(layers.Normalization(mean=0.6, variance=1.0)),
        ),
    }

    @pytest.mark.parametrize("name", DIFFERENT)
    def test_what_differs_is_another_model(self, name):
        one, other = self.DIFFERENT[name]
        assert structure(build(one, 3)) == structure(build(one, 4, beta_1=0.8))
        assert structure(build(one, 3)) != structure(build(other, 3))

    def test_connections_count(self):
        """Two functional models of the same layers, one of which leaves the first one's out."""

        def make(number):
            inputs = keras.Input(reusable.SHAPE)
            flat = layers.Flatten()(inputs)
            hidden = [layers.Dense(4)(flat), layers.Dense(4)(flat)]
            both = layers.Add()([hidden[number], hidden[1]])
            return keras.Model(inputs, layers.Dense(3, "softmax")(layers.Add()([both, hidden[0]])))

        models = [structure(build(lambda n=number: make(n), 3)) for number in (0, 0, 1)]
        assert models[0] == models[1] != models[2]

    def test_a_function_made_anew_by_every_build_is_the_same(self):
        """Also under names and seeds of their own."""

        def make():
            seed = int(np.random.randint(1000))
            dense = layers.Dense(
                3, kernel_initializer=keras.initializers.HeNormal(seed), activation=lambda x: x * 2
            )
            return stack(dense, layers.Dropout(0.2, seed=seed))

        pool = ModelPool(4)
        lend(pool, make, 3)
        assert same(lend(pool, make, 4)[1], alone(make, 4))
        assert (pool.counts.new, pool.counts.reused) == (1, 1)

    def test_a_global_that_a_function_reads_counts(self, monkeypatch):
        make, found = reusable.lambda_of(lambda x: x * FACTOR), []
        for factor in (2.0, 2.0, 3.0):
            monkeypatch.setitem(globals(), "FACTOR", factor)
            found.append(structure(build(make, 3)))
        assert found[0] == found[1] != found[2]

    def test_loss_metrics_and_optimizer_count(self):
        loss = keras.losses.SparseCategoricalCrossentropy
        found = {
            structure(build(lambda: stack(layers.Dense(3)), 3, **arguments))
            for arguments in (
                {},
                {"compile_arguments": {"metrics": ["sparse_top_k_categorical_accuracy"]}},
                {"compile_arguments": {"loss": loss()}},
                {"compile_arguments": {"loss": loss(ignore_class=2)}},
                {"weight_decay": 0.1},
                {"clipnorm": 1.0},
            )
        }
        assert len(found) == 6


FACTOR = 1.0


class TestUnsafe:
    """What holds state outside of its variables is trained in a model of its own each time."""

    @pytest.mark.parametrize("name", UNSAFE)
    def test_the_model_is_not_kept_and_the_reason_logged_once(self, name, warned):
        layer, reason = UNSAFE[name]

        def make():
            return stack(layer(), layers.Conv2D(2, 3))

        pool = ModelPool(4)
        models = [lend(pool, make, seed)[0] for seed in (1, 2)]
        assert models[0] is not models[1]
        assert (pool.counts.refused, pool.counts.new, pool.counts.reused) == (2, 0, 0)
        (message,) = warned()
        assert re.search(rf"^The model is built and compiled anew .*{reason}", message)

    def test_a_trace_that_came_later_is_not_trusted_either(self, warned):
        """With a batch size that is part of the program, this layer draws a constant."""
        pool = ModelPool(4)

        def make():
            return stack(DrawsIfEven(), layers.Conv2D(2, 3))

        lend(pool, make, 1, 16)
        for _ in range(2):
            assert same(lend(pool, make, 2, 12)[1], alone(make, 2, 12))
        assert (pool.counts.new, pool.counts.reused, pool.counts.refused) == (1, 0, 2)
        (message,) = warned()
        assert "draws from Python's or NumPy's global generator" in message


class DrawsIfEven(layers.Layer):
    def call(self, x):
        return x + (np.random.normal() if x.shape[0] == 12 else 0.0)


@pytest.fixture(scope="module")
def used():
    """A pool whose model has been trained, and what a training of its next one comes to."""
    pool = ModelPool(1)
    lend(pool, MODELS["convnet"], 1, learning_rate=0.05, beta_1=0.5)
    return pool, alone(MODELS["convnet"], 2)


class TestLeaks:
    """Controls: a state that is not reset shows in the result."""

    LEAKS = ["kernel", "gamma", "moving_mean", "seed_generator_state", "iteration", "learning_rate",
             "one_minus_beta_1", "average", "square"]  # fmt: skip

    @pytest.mark.parametrize("name", LEAKS)
    def test_one_variable_that_is_not_reset(self, used, name, monkeypatch):
        (pool, expected), whole = used, pool_module.give_state

        def leaking(kept, values):
            variables = [*kept.given, *(variable for variable, _ in kept.rest)]
            (leaked, *_) = [v for v in variables if name in v.path]
            value = leaked.numpy()
            whole(kept, values)
            leaked.assign(value)

        assert same(lend(pool, MODELS["convnet"], 2)[1], expected)
        lend(pool, MODELS["convnet"], 1, learning_rate=0.05, beta_1=0.5)
        monkeypatch.setattr(pool_module, "give_state", leaking)
        reused = pool.counts.reused
        assert not same(lend(pool, MODELS["convnet"], 2)[1], expected)
        assert pool.counts.reused == reused + 1


class TestBounds:
    def test_the_least_recently_used_model_goes(self):
        pool = ModelPool(2)
        makes = [lambda n=n: stack(layers.Dense(n)) for n in (2, 3, 4)]
        for number in (0, 1, 0, 2, 0):
            lend(pool, makes[number], 1)
        assert (pool.counts.new, pool.counts.reused) == (3, 2)
        lend(pool, makes[1], 1)
        assert (pool.counts.new, pool.counts.reused) == (4, 2)

    def test_large_models_make_room_for_each_other(self, monkeypatch):
        monkeypatch.setattr(pool_module, "MOST_BYTES", 3000)
        pool = ModelPool(8)
        for _ in range(2):
            for units in (2, 3):
                lend(pool, lambda n=units: stack(layers.Dense(n)), 1)
        assert (pool.counts.new, pool.counts.reused) == (4, 0)

    def test_a_pool_of_size_0_keeps_nothing(self):
        pool = ModelPool(0)
        assert len({id(lend(pool, MODELS["convnet"], 1)[0]) for _ in range(2)}) == 2
        assert pool.counts.refused == 2

    def test_a_failed_training_s_model_goes(self):
        pool, make = ModelPool(1), MODELS["convnet"]

        def fail(model):
            train(model)
            raise RuntimeError("in the middle")

        with pytest.raises(RuntimeError, match="in the middle"):
            pool.train(lambda: build(make, 1), fail, SAMPLE)
        assert same(lend(pool, make, 2)[1], alone(make, 2))
        assert (pool.counts.new, pool.counts.reused) == (1, 0)

    def test_nothing_piles_up(self):
        """Neither traces nor objects nor variables: from the 5th to the 15th training."""
        pool, make, counts = ModelPool(1), lambda: stack(layers.Dense(3)), []
        for seed in range(15):
            lend(pool, make, seed)
            if seed in (4, 14):
                gc.collect()
                variables = [o for o in gc.get_objects() if isinstance(o, tf.Variable)]
                counts.append((pool.counts.traces, len(variables), len(gc.get_objects())))
        assert counts[0][:2] == counts[1][:2]
        assert counts[1][2] - counts[0][2] < 200
