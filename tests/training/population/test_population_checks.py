"""What a population refuses, before it trains anything, and what it says."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfcourse
from tests.training.population.small import CLASSES, FEATURES, compiled, data, members, mlp
from tfcourse import Adam, GradientDescent, InputError, Member

layers = keras.layers
X, Y = data()


def network(*body, optimizer=None, **options):
    stack = [keras.Input((FEATURES,)), *body, layers.Dense(CLASSES, "softmax")]
    return compiled(keras.Sequential(stack), optimizer)


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(CLASSES, "softmax")

    def call(self, inputs):
        return self.dense(inputs)


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)


class OwnUpdate(Adam):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient - tf.reduce_mean(gradient), variable, learning_rate)


class OwnApply(GradientDescent):
    def apply(self, grads, trainable_variables=None):
        super().apply([2 * gradient for gradient in grads], trainable_variables)


def own_step():
    return compiled(OwnStep([keras.Input((FEATURES,)), layers.Dense(CLASSES)]))


def run_eagerly():
    model = mlp()
    model.run_eagerly = True
    return model


def with_optimizer(optimizer):
    return lambda: network(optimizer=optimizer)


def images():
    stack = [keras.Input((8, 8, 1)), layers.Conv2D(2, 3, name="filters"), layers.Flatten()]
    return compiled(keras.Sequential([*stack, layers.Dense(CLASSES, "softmax")]))


def series():
    rows = layers.Reshape((FEATURES, 1))
    return network(rows, layers.Bidirectional(layers.LSTM(2), name="both"))


def nested():
    inner = keras.Sequential([layers.Reshape((FEATURES, 1)), layers.GRU(2, name="gates")])
    return network(inner)


def mixed():
    return network(layers.Dense(4, dtype="mixed_bfloat16", name="half"))


def float8():
    layer = layers.Dense(4, name="eighths")
    model = network(layer)
    layer.quantize("float8")
    return model


MODELS = {
    "convolution": (
        images,
        r'can\'t train the layer "filters" \(Conv2D\): it can\'t be vectorized',
    ),
    "recurrent": (series, r'can\'t train the layer "both" \(Bidirectional\)'),
    "nested": (nested, r'can\'t train the layer "gates" \(GRU\)'),
    "mixed precision": (mixed, r'layer "half" \(Dense\) in mixed precision \(mixed_bfloat16\)'),
    "float8": (float8, r'layer "eighths" \(Dense\) in float8, whose scales Keras'),
    "own call": (lambda: compiled(Own()), r"\(Own\), which has methods of its own"),
    "own step": (own_step, r"\(OwnStep\), which has methods of its own. Train it with tfcourse"),
    "eager": (run_eagerly, "run_eagerly=True does not work in a population"),
    "not compiled": (lambda: keras.Sequential([layers.Dense(1)]), "needs a compiled model"),
    "no model": (lambda: 3, "must be a compiled keras.Model, or a function .* Received: int"),
    "keras's optimizer": (
        with_optimizer(keras.optimizers.Adam()),
        "must be one of tfcourse's. Received: keras's Adam. Take tfcourse.GradientDescent",
    ),
    "own update": (
        with_optimizer(OwnUpdate()),
        r"can't have an optimizer whose update_step is its own \(OwnUpdate\). Override step in",
    ),
    "own apply": (with_optimizer(OwnApply()), r"whose apply is its own \(OwnApply\)"),
    "clipping": (with_optimizer(Adam(clipnorm=1.0)), "can't have an optimizer with clipnorm"),
    "decay": (with_optimizer(Adam(weight_decay=0.1)), "can't have an optimizer with weight_decay"),
    "average": (with_optimizer(Adam(use_ema=True)), "can't have an optimizer with use_ema"),
    "accumulation": (
        with_optimizer(Adam(gradient_accumulation_steps=2)),
        "can't have an optimizer with gradient_accumulation_steps",
    ),
    "scaling": (
        with_optimizer(keras.optimizers.LossScaleOptimizer(Adam())),
        "must be one of tfcourse's. Received: keras's LossScaleOptimizer",
    ),
}


@pytest.mark.parametrize("case", MODELS)
def test_a_model_that_a_population_cannot_have(case):
    build, message = MODELS[case]
    with pytest.raises(InputError, match=message):
        tfcourse.fit_population(build, members(2), X, Y)


def test_what_is_no_model():
    with pytest.raises(InputError, match=r"or a function that returns one\. Received: 'mlp'\."):
        tfcourse.fit_population("mlp", members(2), X, Y)


ARGUMENTS = {
    "batch_size": (0, "batch_size must be a whole number >= 1. Received: 0."),
    "validation_batch_size": (1.5, "validation_batch_size must be a whole number >= 1."),
    "epochs": (0, "epochs must be a whole number >= 1. Received: 0."),
    "slots": (-1, "slots must be a whole number >= 1. Received: -1."),
    "patience": (True, "patience must be a whole number >= 1. Received: True."),
    "min_delta": (-0.1, "min_delta must be a number >= 0. Received: -0.1."),
    "halving": (1, r"halving must be a whole number >= 2, .* or None\. Received: 1\."),
    "halving_epochs": (0, "halving_epochs must be a whole number >= 1. Received: 0."),
    "keep": ("all", """keep must be one of "best", "last". Received: 'all'."""),
    "objective": ("accurracy", '''objective must be one of .*Did you mean "accuracy"'''),
    "direction": ("down", 'direction must be one of "auto", "min", "max". Received'),
    "jit_compile": ("yes", 'jit_compile must be True, False or "auto". Received'),
    "x": (X[:5], "must hold the same number of examples .* Received: x: 5, y: 50."),
    "y": (Y + 7, "y"),
    "validation_data": (tf.data.Dataset.from_tensor_slices((X, Y)), "is trained on arrays in mem"),
    "members": ([], "members must be a list of at least one tfcourse.Member. Received: an empty"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_argument_that_is_not_what_it_can_be(name):
    value, message = ARGUMENTS[name]
    arguments = {"members": members(2), "x": X, "y": Y, "verbose": 0, name: value}
    with pytest.raises(InputError, match=message):
        tfcourse.fit_population(mlp, **arguments)


def test_data_that_is_no_array():
    with pytest.raises(
        InputError, match=r"is trained on arrays in memory\. Received: data of anoth"
    ):
        tfcourse.fit_population(mlp, members(2), tf.data.Dataset.from_tensor_slices((X, Y)))


def test_data_with_nan_is_refused_as_by_fit():
    with pytest.raises(InputError, match="x holds NaN in 50 of 50 rows"):
        tfcourse.fit_population(mlp, members(2), np.full_like(X, np.nan), Y)


MEMBERS = {
    "seed": (Member(-1), r"Member 1: seed must be a whole number in \[0, 2\*\*32\). Received: -1."),
    "large seed": (Member(2**32), "Member 1: seed must be a whole number in"),
    "epochs": (Member(0, epochs=0), "Member 1: epochs must be a whole number >= 1. Received: 0."),
    "name": (
        Member(0, {"momentum": 0.9}),
        'Member 1: a hyperparameter of Adam must be one of "learning_rate", "beta_1"',
    ),
    "value": (
        Member(0, {"beta_1": 1.0}),
        r"Member 1: Adam: beta_1 must be a number in \[0, 1\). Received: 1.0.",
    ),
    "rate": (Member(0, {"learning_rate": "fast"}), "Member 1: Adam: learning_rate must be a numb"),
    "dropout": (Member(0, {"dropout": 0.1}), "one of .learning_rate.*Received: .dropout"),
    "list": (Member(0, [0.1]), r"Member 1: hyperparameters must be a dict .* Received: \[0.1\]"),
    "type": ({"seed": 1}, r"must be of tfcourse.Member. Received: {'seed': 1} at index 1"),
}


@pytest.mark.parametrize("case", MEMBERS)
def test_a_member_that_cannot_be_trained(case):
    member, message = MEMBERS[case]
    with pytest.raises(InputError, match=message):
        tfcourse.fit_population(mlp, [Member(0), member], X, Y)


def test_a_rate_beside_a_schedule():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.3, 4, 0.5)
    build = with_optimizer(GradientDescent(schedule))
    with pytest.raises(InputError, match="Member 0: learning_rate can't differ where the optimiz"):
        tfcourse.fit_population(build, [Member(0, {"learning_rate": 0.1})], X, Y)


class Counter(keras.metrics.Metric):
    """A metric of no known direction, which may count in a variable that Keras knows nothing of."""

    def __init__(self, hidden):
        super().__init__(name="counter")
        self.count = self.add_variable((), "zeros", name="count")
        self.hidden = [tf.Variable(0.0)] if hidden else []

    def update_state(self, y_true, y_pred, sample_weight=None):
        for variable in (self.count, *self.hidden):
            variable.assign(variable + 1)

    def result(self):
        return self.count


def counting(hidden):
    def build():
        model = network()
        model.compile(Adam(), loss="sparse_categorical_crossentropy", metrics=[Counter(hidden)])
        return model

    return build


def test_a_direction_that_is_not_known():
    with pytest.raises(
        InputError, match=r'less or more of "counter" is better is not known\. Pass'
    ):
        tfcourse.fit_population(counting(False), members(2), X, Y, objective="counter")


def short_batch(y_true, y_pred):
    """A loss that goes wrong where the number of examples is 2, as in the last batch here."""
    if y_pred.shape[0] == 2:
        raise NotImplementedError("Of 2 I know nothing.\nNothing at all.")
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


def test_what_fails_while_the_program_is_made():
    def build():
        model = network()
        model.compile(Adam(), loss=short_batch)
        return model

    message = "its metrics can't be vectorized: Of 2 I know nothing. Train it with tfcourse.fit."
    with pytest.raises(InputError, match=message):
        tfcourse.fit_population(build, members(2), X, Y, 16, verbose=0, jit_compile=False)


def test_a_metric_with_state_that_members_would_share():
    options = {"verbose": 0, "jit_compile": False}
    with pytest.raises(InputError, match=r"all members would share: .* Train it with tfcourse"):
        tfcourse.fit_population(counting(True), members(2), X, Y, **options)
