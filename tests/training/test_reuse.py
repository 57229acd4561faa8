"""A training of a pooled model is that of a new one, bit for bit."""

import gc
import logging
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training.own_code import PAIRS
from tests.training.reusable import MODELS, X, Y, alone, build, lend, same, stack, train
from tfcourse.training.reuse import pool as pool_module
from tfcourse.training.reuse.pool import ModelPool
from tfcourse.training.reuse.seeding import set_seed

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


class TestOwnCode:
    """A model with a layer or function of the user's own is built for every training."""

    REASONS = {
        "a registered layer": "a Scaled is of the class tests.training.own_code.Scaled, your own",
        "a closure in a Lambda": "a Lambda runs code of your own",
        "an activation": r'a Dense, "activation" is tests\.training\.own_code\.<lambda>.*your own',
        "an object with a config": 'a Dense, "kernel_regularizer" is an object of the class .*ed',
        "a partial": 'a Dense has no config: Cannot serialize object [^"]*',
    }

    @pytest.mark.parametrize("name", REASONS)
    def test_the_reason_is_logged_once(self, name, warned):
        pool, make = ModelPool(4), PAIRS[name]
        models = [lend(pool, lambda: make(2.0), seed)[0] for seed in (1, 2)]
        assert models[0] is not models[1]
        assert (pool.counts.refused, pool.counts.new, pool.counts.reused) == (2, 0, 0)
        (message,) = warned()
        prefix = "The model is built and compiled again for every training: "
        assert re.fullmatch(rf"{prefix}{self.REASONS[name]}\.", message)


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
        (pool, expected), whole = used, pool_module.reset_state

        def leaking(pooled, values):
            (leaked, *_) = [v for v in pooled.variables if name in v.path]
            value = leaked.numpy()
            whole(pooled, values)
            leaked.assign(value)

        assert same(lend(pool, MODELS["convnet"], 2)[1], expected)
        lend(pool, MODELS["convnet"], 1, learning_rate=0.05, beta_1=0.5)
        monkeypatch.setattr(pool_module, "reset_state", leaking)
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
        monkeypatch.setattr(pool_module, "MAX_BYTES", 3000)
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
