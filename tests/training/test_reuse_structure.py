"""What Keras's configs and names do not tell of a model makes it another one all the same."""

import functools
import re
import types

import keras
import pytest
import tensorflow as tf

from tests.training import reusable
from tests.training.reusable import alone, lend, same, stack
from tfcourse.training.reuse.pool import ModelPool
from tfcourse.training.reuse.structure import structure
from tfcourse.training.reuse.values import NotComparableError

pytestmark = pytest.mark.slow

layers = keras.layers


def described(make, seed=3, **arguments):
    return structure(reusable.build(make, seed, **arguments))


def refused(make):
    """Why a model's structure can't be told."""
    with pytest.raises(NotComparableError) as raised:
        described(make)
    return str(raised.value)


def dense():
    return stack(layers.Dense(3))


def compiled(**arguments):
    """A builder's structure by what its ``compile`` is given."""
    return described(dense, compile_arguments=arguments)


class TestLossesAndMetrics:
    """Of some of their arguments Keras's configs say nothing."""

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
    def test_arguments_that_their_configs_lack_count(self, name):
        one, again, other = (compiled(**self.DIFFERENT[name](k)) for k in (0, 0, 1))
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


class Own(layers.Layer):
    """A layer of one's own that multiplies by an attribute of any name."""

    def __init__(self, name, value):
        super().__init__()
        self.factor = name
        setattr(self, name, value)

    def call(self, x):
        return x * getattr(self, self.factor)


class TestAttributesOfOwnLayers:
    """Their names may be those of attributes that Keras gives its models alone."""

    @pytest.mark.parametrize("name", ["loss", "history", "optimizer", "steps_per_execution"])
    def test_whatever_their_name(self, name):
        one, again, other = (
            described(lambda n=number: stack(Own(name, n))) for number in (1.5, 1.5, 2.5)
        )
        assert one == again != other


def test_a_learning_rate_s_function_counts_with_its_closure():
    def rate(value):
        return lambda: value

    one, again, other = (described(dense, learning_rate=rate(v)) for v in (0.1, 0.1, 0.2))
    assert one == again != other


class TestWithoutAConfig:
    """What Keras can't serialize can't be compared by its config: the reason is the same twice."""

    CASES = {
        "a partial": lambda: layers.Dense(
            3, functools.partial(keras.activations.leaky_relu, negative_slope=0.5)
        ),
        "an object": lambda: layers.Dense(3, kernel_regularizer=Squares(0.1)),
    }

    @pytest.mark.parametrize("name", CASES)
    def test_the_model_is_not_kept(self, name):
        reasons = [refused(lambda: stack(self.CASES[name]())) for _ in range(2)]
        assert reasons[0] == reasons[1]
        assert re.match('a Dense has no config: Cannot serialize object [^"]*$', reasons[0])


class Squares:
    """A regularizer that is no class of Keras's, and holds a number that its class doesn't."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, weight):
        return self.factor * keras.ops.sum(weight**2)


class Told(Squares):
    """The same, of whose number its config says nothing."""

    def get_config(self):
        return {}


def times(factor):
    """Goes by the name of a function of Keras's."""

    @functools.wraps(keras.activations.relu)
    def activation(x):
        return factor * x

    return activation


class Times(keras.Operation):
    """An operation of one's own, without a config of its own."""

    def __init__(self, factor):
        super().__init__()
        self.holder = {"factor": factor}

    def call(self, x):
        return x * self.holder["factor"]

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


SETTINGS = types.ModuleType("settings")
SETTINGS.factor = 1.0


class Reads(layers.Layer):
    """Reads a number from a module of one's own."""

    def call(self, x):
        return x * SETTINGS.factor


class TestFunctions:
    """Equal names are not equal functions."""

    OPERATIONS = {
        "given": lambda x, k: keras.ops.map(lambda row: row * k, x),
        "held": lambda x, k: keras.ops.vectorized_map(lambda row: row * k, x),
        "several": lambda x, k: keras.ops.switch(0, [lambda y: y * k, lambda y: y], x),
        "an operation of one's own": lambda x, k: Times(k)(x),
    }

    UNTOLD = {
        "a compiled function": (
            lambda: layers.Dense(3, activation=tf.function(lambda x: 2.0 * x)),
            '^a Dense, "activation" is a tensorflow.*, whose state can\'t be compared$',
        ),
        "an object with a config": (
            lambda: layers.Dense(3, kernel_regularizer=Told(0.1)),
            r'^a Dense, "kernel_regularizer" is a .*\.Told, whose state can\'t be compared$',
        ),
        "a module": (
            Reads,
            '^the global "SETTINGS" of .* is the module settings, whose values can\'t be compared$',
        ),
    }

    def test_a_function_under_another_one_s_name(self):
        one, again, other = (
            described(lambda f=factor: stack(layers.Dense(3, times(f)))) for factor in (2, 2, 3)
        )
        assert one == again != other

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_what_an_operation_of_a_graph_is_given(self, name):
        def make(factor):
            inputs = keras.Input(reusable.SHAPE)
            outputs = layers.Flatten()(self.OPERATIONS[name](inputs, factor))
            return keras.Model(inputs, layers.Dense(3)(outputs))

        one, again, other = (described(lambda k=factor: make(k)) for factor in (2.0, 2.0, 3.0))
        assert one == again != other

    @pytest.mark.parametrize("name", UNTOLD)
    def test_what_may_hold_anything_is_refused(self, name):
        layer, reason = self.UNTOLD[name]
        assert re.search(reason, refused(lambda: stack(layer())))

    def test_the_libraries_own_are_told_by_their_names(self):
        """Also those that decorators have wrapped."""
        functions = (keras.activations.gelu, tf.nn.relu, tf.nn.swish, keras.ops.tanh)
        made = [lambda f=function: stack(layers.Dense(3, f)) for function in functions]
        found = [described(make) for make in made]
        assert found == [described(make) for make in made]
        assert len(set(found)) == len(functions)


class TestNames:
    """Models that differ in the names that Keras counts up share one that is kept."""

    def test_both_directions_of_a_recurrent_layer(self):
        def make():
            recurrent = layers.SimpleRNN(2, unroll=True, dropout=0.2)
            return stack(layers.Reshape((4, 16)), layers.Bidirectional(recurrent))

        pool = ModelPool(2)
        lend(pool, make, 1)
        assert same(lend(pool, make, 2)[1], alone(make, 2))
        assert (pool.counts.new, pool.counts.reused) == (1, 1)

    def test_a_class_that_every_build_defines_anew(self):
        def make(factor, base=layers.Layer):
            class Times(base):
                power = 2

                def __init__(self):
                    super().__init__()
                    self.negative = False

                def call(self, x):
                    return x**self.power * (-factor if self.negative else factor)

            return stack(Times())

        pool = ModelPool(2)
        lend(pool, lambda: make(1.5), 1)
        assert same(lend(pool, lambda: make(1.5), 2)[1], alone(lambda: make(1.5), 2))
        assert (pool.counts.new, pool.counts.reused) == (1, 1)
        found = {described(lambda f=f, b=b: make(f, b)) for f, b in self.BODIES}
        assert len(found) == len(self.BODIES)

    # Their names are the same.
    BODIES = ((1.5, layers.Layer), (2.5, layers.Layer), (1.5, layers.ReLU))
