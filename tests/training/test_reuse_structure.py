"""Models of different structures never share a program, and models with own code share none."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training import reusable
from tests.training.own_code import PAIRS, Squares
from tests.training.reusable import X, Y, alone, build, lend, same, stack
from tfcourse.training.reuse.pool import ModelPool
from tfcourse.training.reuse.purity import impurity
from tfcourse.training.reuse.shareable import NotShareableError
from tfcourse.training.reuse.structure import structure

layers = keras.layers
schedules = keras.optimizers.schedules


def dense():
    return stack(layers.Dense(3))


def structures(make, *numbers, **arguments):
    """The structures of models that are built with numbers."""
    return [structure(build(lambda k=k: make(k), 3, **arguments)) for k in numbers]


class TestLayers:
    """What another program would be needed for is another structure; names and seeds are not."""

    DIFFERENT = {
        "units": lambda k: stack(layers.Dense((3, 4)[k])),
        "activation": lambda k: stack(layers.Dense(3, (None, "relu")[k])),
        "Keras's dropout": lambda k: stack(layers.Dropout((0.1, 0.2)[k])),
        "regularizer": lambda k: stack(
            layers.Dense(3, kernel_regularizer=keras.regularizers.L2((0.1, 0.2)[k]))
        ),
        "trainable": lambda k: stack(layers.Dense(3, trainable=(True, False)[k])),
        "precision": lambda k: stack(layers.Dense(3, dtype=("float32", "mixed_bfloat16")[k])),
        "an array": lambda k: stack(
            layers.Rescaling(np.full(1000, (1.0, 1.0 + 1e-12)[k])[:, None, None, None][500])
        ),
        "a mean": lambda k: stack(layers.Normalization(mean=(0.5, 0.6)[k], variance=1.0)),
        "an array of an operation": lambda k: functional(
            lambda x: keras.ops.add(x, np.float32([[[[1.0]]], [[[2.0]]]][k]))
        ),
        "a number of an operation": lambda k: functional(lambda x: x * (2.0, 3.0)[k]),
    }

    @pytest.mark.parametrize("name", DIFFERENT)
    def test_what_differs_is_another_structure(self, name):
        make = self.DIFFERENT[name]
        one, other = structures(make, 0, 1)
        assert structure(build(lambda: make(0), 4, beta_1=0.8)) == one != other

    def test_connections_count(self):
        """Two functional models of the same layers, one of which leaves the first one's out."""

        def make(number):
            inputs = keras.Input(reusable.SHAPE)
            flat = layers.Flatten()(inputs)
            hidden = [layers.Dense(4)(flat), layers.Dense(4)(flat)]
            both = layers.Add()([hidden[number], hidden[1]])
            return keras.Model(inputs, layers.Dense(3, "softmax")(layers.Add()([both, hidden[0]])))

        one, again, other = structures(make, 0, 0, 1)
        assert one == again != other

    def test_which_layers_share_a_weight_counts(self):
        def make(number):
            dense = [layers.Dense(64) for _ in range(3)]
            model = stack(layers.Flatten(), *dense)
            dense[2]._tracker.unlock()
            dense[2]._kernel = dense[number]._kernel
            return model

        one, again, other = structures(make, 0, 0, 1)
        assert one == again != other

    def test_names_and_seeds_do_not_count(self):
        """Also those of both directions of a recurrent layer, which Keras counts up too."""

        def make():
            seed = int(np.random.randint(1000))
            return stack(
                layers.Reshape((8, 8)),
                layers.Bidirectional(layers.SimpleRNN(2, unroll=True, dropout=0.2)),
                layers.Dense(3, kernel_initializer=keras.initializers.HeNormal(seed)),
                layers.Dropout(0.2, seed=seed),
            )

        pool = ModelPool(4)
        lend(pool, make, 3)
        assert same(lend(pool, make, 4)[1], alone(make, 4))
        assert (pool.counts.new, pool.counts.reused) == (1, 1)

    def test_the_libraries_functions_count_by_their_names(self):
        """Also those that decorators have wrapped."""
        functions = (keras.activations.gelu, tf.nn.relu, tf.nn.swish, keras.ops.tanh)
        found = structures(lambda f: stack(layers.Dense(3, f)), *functions, *functions)
        assert found[:4] == found[4:]
        assert len(set(found)) == len(functions)

    @pytest.mark.parametrize("adapt", [False, True])
    def test_a_vocabulary_counts(self, adapt):
        """Adapted, it is in a table alone, which no config has."""
        pool = ModelPool(4)

        def make(words):
            lookup = layers.IntegerLookup(vocabulary=None if adapt else words)
            if adapt:
                lookup.adapt(np.array(words))
            return functional(
                lambda x: keras.ops.cast(lookup(keras.ops.cast(10 * x, "int64")), "float32")
            )

        for words in ([1, 2, 3], [3, 2, 1, -1]):
            found = lend(pool, lambda w=words: make(w), 1)[1]
            assert same(found, alone(lambda w=words: make(w), 1))
        assert pool.counts.reused == 0


class TestSettingsAfterConstruction:
    """No config contains them."""

    SETTINGS = {
        "a regularizer": lambda m: setattr(kernel(m), "regularizer", keras.regularizers.L2(0.5)),
        "a constraint": lambda m: setattr(kernel(m), "constraint", keras.constraints.MaxNorm(0.1)),
        "a weight without decay": lambda m: m.optimizer.exclude_from_weight_decay([kernel(m)]),
        "a name without decay": lambda m: m.optimizer.exclude_from_weight_decay(None, ["kernel"]),
        "its gradient is its value": lambda m: setattr(kernel(m), "overwrite_with_gradient", True),
    }

    @staticmethod
    def build(change=None):
        model = build(dense, 1, weight_decay=0.3)
        if change is not None:
            change(model)
        return model

    @pytest.mark.parametrize("name", SETTINGS)
    def test_a_training_is_what_it_is_alone(self, name):
        pool, change = ModelPool(4), self.SETTINGS[name]
        pool.train(self.build, reusable.train, (X[:16], Y[:16]))
        _, found = pool.train(lambda: self.build(change), reusable.train, (X[:16], Y[:16]))
        assert same(found, reusable.train(self.build(change)))
        assert (pool.counts.new, pool.counts.reused) == (2, 0)

    def test_own_code(self):
        with pytest.raises(NotShareableError, match="a weight's regularizer is an object of the"):
            structure(self.build(lambda m: setattr(kernel(m), "regularizer", Squares(0.1))))

    def test_the_same_settings_share_a_program(self):
        for change in self.SETTINGS.values():
            one, other = (structure(self.build(change)) for _ in range(2))
            assert one == other != structure(self.build())


def kernel(model):
    return next(weight for weight in model.weights if weight.name == "kernel")


def functional(operation):
    inputs = keras.Input(reusable.SHAPE)
    return keras.Model(inputs, layers.Dense(3, "softmax")(layers.Flatten()(operation(inputs))))


class TestCompileArguments:
    def test_loss_metrics_and_optimizer_count(self):
        loss = keras.losses.SparseCategoricalCrossentropy
        found = {
            structure(build(dense, 3, **arguments))
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

    # Of some of their arguments Keras's configs say nothing.
    DIFFERENT = {
        "Huber's delta": lambda k: {"loss": keras.losses.Huber(delta=(0.5, 2.0)[k])},
        "an axis": lambda k: {"loss": keras.losses.CosineSimilarity(axis=(-1, 0)[k])},
        "a sparse loss's axis": lambda k: {
            "loss": keras.losses.SparseCategoricalCrossentropy(axis=(-1, 1)[k])
        },
        "a metric's axis": lambda k: {"metrics": [keras.metrics.CosineSimilarity(axis=(-1, 0)[k])]},
        "a loss's precision": lambda k: {
            "loss": keras.losses.MeanSquaredError(dtype=("float32", "float16")[k])
        },
    }

    @pytest.mark.parametrize("name", DIFFERENT)
    def test_arguments_that_are_in_no_config_count(self, name):
        one, again, other = (
            structure(build(dense, 3, compile_arguments=self.DIFFERENT[name](k))) for k in (0, 0, 1)
        )
        assert one == again != other

    def test_a_training_with_another_delta_is_what_it_is_alone(self):
        pool = ModelPool(4)

        def number():
            return keras.Sequential(
                [keras.Input(reusable.SHAPE), layers.Flatten(), layers.Dense(1)]
            )

        def arguments(delta):
            return {"compile_arguments": {"loss": keras.losses.Huber(delta=delta), "metrics": []}}

        lend(pool, number, 1, **arguments(0.01))
        found = lend(pool, number, 2, **arguments(1.0))[1]
        assert same(found, alone(number, 2, **arguments(1.0)))
        assert pool.counts.new == 2

    SCHEDULES = {
        "a rate": lambda k: schedules.ExponentialDecay((0.1, 0.2)[k], 3, 0.5),
        "a step": lambda k: schedules.PiecewiseConstantDecay([(2, 4)[k]], [0.1, 0.01]),
        "a class": lambda k: (schedules.CosineDecay, schedules.PolynomialDecay)[k](0.1, 5),
    }

    @pytest.mark.parametrize("name", SCHEDULES)
    def test_a_learning_rate_s_schedule_counts(self, name):
        pool, schedule = ModelPool(4), self.SCHEDULES[name]
        for number in (0, 1, 0, 1):
            found = lend(pool, dense, number, learning_rate=schedule(number))[1]
            assert same(found, alone(dense, number, learning_rate=schedule(number)))
        assert (pool.counts.new, pool.counts.reused) == (2, 2)


class OwnLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.sum(y_pred, -1)


class OwnMean(keras.metrics.Mean):
    pass


class OwnSchedule(schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1

    def get_config(self):
        return {}


@keras.saving.register_keras_serializable(package="reuse_tests")
def registered_loss(y_true, y_pred):
    return keras.ops.sum(y_pred, -1)


class TestOwnCode:
    """Two models with own code may do different things under the same names: they share nothing."""

    @pytest.mark.parametrize("name", PAIRS)
    def test_models_never_share_a_program(self, name):
        make = PAIRS[name]
        for number in (2.0, 3.0):
            with pytest.raises(NotShareableError):
                structure(build(lambda k=number: make(k), 3))

    @pytest.mark.parametrize("name", ["a registered layer", "an own step", "an activation"])
    def test_trainings_are_what_they_are_alone(self, name):
        pool, make = ModelPool(4), PAIRS[name]
        for number in (0.5, 1.5):
            found = lend(pool, lambda k=number: make(k), 2)[1]
            assert same(found, alone(lambda k=number: make(k), 2))
        assert (pool.counts.refused, pool.counts.new, pool.counts.reused) == (2, 0, 0)

    COMPILED = {
        "a loss": {"loss": lambda y, p: keras.ops.sum(p, -1)},
        "a loss's class": {"loss": OwnLoss()},
        "a registered loss": {"loss": registered_loss},
        "a registered loss's name": {"loss": "reuse_tests>registered_loss"},
        "a metric": {"metrics": ["accuracy", lambda y, p: keras.ops.sum(p, -1)]},
        "a metric's class": {"metrics": {"softmax_head": [OwnMean()]}},
    }

    @pytest.mark.parametrize("name", COMPILED)
    def test_arguments_of_compile(self, name):
        with pytest.raises(NotShareableError, match=r"your own|registered by you|of the class"):
            structure(build(dense, 3, compile_arguments=self.COMPILED[name]))

    @pytest.mark.parametrize("rate", [lambda: 0.1, OwnSchedule()])
    def test_a_learning_rate(self, rate):
        with pytest.raises(NotShareableError, match=r"^the learning rate is "):
            structure(build(dense, 3, learning_rate=rate))

    def test_an_optimizer(self):
        model = dense()
        model.compile(type("Own", (keras.optimizers.SGD,), {})(), "mse")
        with pytest.raises(NotShareableError, match=r"^the optimizer is of the class .*Own, your"):
            structure(model)


def test_models_with_several_optimizers_share_nothing():
    """What maps the variables to the optimizers may be a function of the user's."""
    model = dense()
    optimizers = keras.optimizers.SGD(), keras.optimizers.Adam()
    model.compile(keras.optimizers.MultiOptimizer(lambda v: optimizers[len(v.shape) - 1]), "mse")
    with pytest.raises(NotShareableError, match="it has several optimizers"):
        structure(model)


class TestImpurity:
    """A program that depends on anything but its inputs and the known variables is not trusted."""

    KNOWN, OTHER = tf.Variable(1.0), tf.Variable(1.0)
    GENERATOR = tf.random.Generator.from_seed(0)
    IMPURE = {
        "keeps state in a RandomStandardNormal operation": lambda x: x + tf.random.normal([]),
        "keeps state in a PyFunc operation": lambda x: tf.ensure_shape(
            tf.numpy_function(lambda a: a, [x], tf.float32), []
        ),
        "a variable or resource that is none of the model's": lambda x: x + TestImpurity.OTHER,
        "uses a variable or resource": lambda x: x + TestImpurity.GENERATOR.normal([]),
        "draws random numbers from a seed that is part of": lambda x: (
            x + tf.random.stateless_normal([], [1, 2])
        ),
    }

    @staticmethod
    def found(function):
        trace = tf.function(function).get_concrete_function(tf.constant(1.0))
        return impurity(trace, {id(TestImpurity.KNOWN.handle)})

    @pytest.mark.parametrize("reason", IMPURE)
    def test_what_is_found(self, reason):
        assert reason in self.found(self.IMPURE[reason])
        # Also in the body of a loop.
        assert reason in self.found(
            lambda x: tf.while_loop(lambda _: True, lambda x: [self.IMPURE[reason](x)], [x])
        )

    def test_variables_and_their_seeds_are_known(self):
        seed = tf.Variable([1, 2])

        def draw(x):
            self.KNOWN.assign_add(x)
            return x + self.KNOWN + tf.random.stateless_normal([], seed)

        trace = tf.function(draw).get_concrete_function(tf.constant(1.0))
        assert impurity(trace, {id(self.KNOWN.handle), id(seed.handle)}) is None


def test_what_draws_from_a_global_generator_in_training_is_not_used_again(caplog):
    pool = ModelPool(4)

    def train(model, draws):
        if draws:
            np.random.normal()
        return reusable.train(model)

    models = [
        pool.train(lambda: build(dense, 1), lambda m, d=draws: train(m, d), (X[:16], Y[:16]))[0]
        for draws in (False, True, False)
    ]
    assert (pool.counts.new, pool.counts.reused, pool.counts.refused) == (1, 0, 2)
    assert len(set(map(id, models))) == 3
    assert "draws from Python's or NumPy's global generator" in caplog.text
