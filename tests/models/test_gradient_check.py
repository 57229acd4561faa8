"""Right gradients pass, planted errors are found and named, and the model stays as it is."""

import math
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference.softmax import softmax
from tests.test_notices import AtOnce
from tfcourse import BatchNorm, GradientCheck, InputError, SoftmaxHead, gradient_check

L = keras.layers
SPARSE = "sparse_categorical_crossentropy"
MODES = pytest.mark.parametrize("training", [False, True], ids=["test", "training"])


def model_of(*layers, shape=(5,), loss="mse", **compiled):
    model = keras.Sequential([keras.Input(shape), *layers])
    if loss is not None:
        model.compile(loss=loss, **compiled)
    return model


@pytest.fixture
def x(rng):
    return rng.normal(size=(12, 5)).astype(np.float32)


@pytest.fixture
def y(rng):
    return rng.normal(size=(12, 2)).astype(np.float32)


@pytest.fixture
def classes(rng):
    return rng.integers(0, 3, 12)


def passes(result, kinks=0):
    """All parameters, far below the limit: that they were compared in float32 is impossible."""
    assert result.verdict == "pass", result
    assert result.ratio < 2e-8
    assert result.checked == result.total - kinks > 0
    assert result.kinks == kinks
    return result


# --- right gradients ------------------------------------------------------------------------


def layered(kind):
    dense = L.Dense
    return {
        "mlp": lambda: model_of(dense(7, "tanh"), dense(6, "relu"), dense(2)),
        "ours": lambda: model_of(dense(6), BatchNorm(), L.Activation("tanh"), dense(2)),
        "ours, corrected": lambda: model_of(BatchNorm(bias_correction=True), dense(2)),
        "keras": lambda: model_of(dense(6), L.BatchNormalization(), dense(3, "relu"), dense(2)),
        "dropout, l2": lambda: model_of(
            dense(9, "tanh", kernel_regularizer="l2", activity_regularizer="l1"),
            L.Dropout(0.5),
            dense(2, bias_regularizer="l2"),
        ),
        "noise": lambda: model_of(L.GaussianNoise(0.5), dense(2, "sigmoid")),
        "adapted": lambda: model_of(L.Normalization(mean=1.0, variance=4.0), dense(2)),
        "layer norm": lambda: model_of(dense(6), L.LayerNormalization(), dense(2)),
    }[kind]()


@MODES
@pytest.mark.parametrize(
    "kind",
    ["mlp", "ours", "ours, corrected", "keras", "dropout, l2", "noise", "adapted", "layer norm"],
)
def test_layers(kind, training, x, y):
    passes(gradient_check(layered(kind), x, y, training=training))


@MODES
def test_a_convnet(training, rng):
    layers = [
        L.Conv2D(3, 3, use_bias=False),
        BatchNorm(),
        L.Activation("relu"),
        L.MaxPooling2D(),
        L.Conv2D(2, 2, activation="gelu"),
        L.Flatten(),
        SoftmaxHead(3),
    ]
    model = model_of(*layers, shape=(8, 8, 2), loss=SPARSE)
    passes(
        gradient_check(
            model,
            rng.normal(size=(4, 8, 8, 2)),
            np.array([0, 2, 1, 1]),
            training=training,
        )
    )


@MODES
def test_a_recurrent_net_with_masks(training, rng):
    layers = [L.Embedding(9, 3, mask_zero=True), L.LSTM(3, dropout=0.3), L.Dense(2)]
    words = rng.integers(0, 9, (5, 4))
    passes(gradient_check(model_of(*layers, shape=(4,)), words, np.ones((5, 2)), training=training))


def test_softmax_and_cross_entropy_begin_with_the_difference_to_the_label(x, classes):
    """Course 3.6: dZ = ŷ - y, so dW = xᵀ(ŷ - y)/m and db = mean(ŷ - y), here in float64 NumPy."""
    model, x = model_of(SoftmaxHead(3), loss=SPARSE), x * np.float64(1.1)
    result = passes(gradient_check(model, x, classes))
    kernel, bias = (w.astype(np.float64) for w in model.get_weights())
    dz = (softmax(x @ kernel + bias) - np.eye(3)[classes]) / len(x)
    expected = {"kernel": x.T @ dz, "bias": dz.sum(0)}
    assert len(result.worst) == 5
    for found in result.worst:
        exact = expected[found.path.split("/")[-1]][found.index]
        assert found.analytic == pytest.approx(exact, rel=1e-12, abs=1e-14)
        assert found.numeric == pytest.approx(exact, rel=1e-7)
        assert found.difference == abs(found.numeric - found.analytic)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_other_policies(policy, x, classes):
    keras.config.set_dtype_policy(policy)
    model = model_of(L.Dense(4, "tanh"), BatchNorm(), SoftmaxHead(3), loss=SPARSE)
    keras.config.set_dtype_policy("float32")
    passes(gradient_check(model, x, classes, training=True))


def test_inputs_outputs_and_nested_models(rng, x, y, classes):
    """Labels of two kinds, weights of examples and of losses, an input with a dtype of its own."""
    inside = model_of(L.Dense(4, "tanh"), loss=None)
    a, b = keras.Input((5,), name="a"), keras.Input((1,), name="b", dtype="int32")
    twice = keras.Model(c := keras.Input((5,)), L.Dense(4, "relu")(c * 2.0))
    h = keras.ops.sin(inside(L.Dense(5)(a))) + twice(a) + L.Flatten()(L.Embedding(4, 4)(b))
    outputs = {"p": L.Dense(2, name="p")(h), "q": SoftmaxHead(3, name="q")(h)}
    model = keras.Model({"a": a, "b": b}, outputs)
    losses = {"p": keras.losses.Huber(), "q": SPARSE}
    model.compile(loss=losses, loss_weights={"p": 0.3, "q": 2.0})
    data = {"a": x, "b": rng.integers(0, 4, (12, 1))}, {"p": y, "q": classes}
    weights = {"p": rng.uniform(size=12), "q": rng.uniform(size=12)}
    whole = passes(gradient_check(model, *data, sample_weight=weights))
    assert [*whole.ratios] == [w.path for w in model.trainable_weights]
    assert losses["p"].dtype == "float32"
    nothing = gradient_check(model, *data, sample_weight=dict.fromkeys("pq", np.zeros(12)))
    assert {d.analytic for d in nothing.worst} == {0}


@pytest.mark.parametrize(
    "loss",
    ["mse", keras.losses.MeanSquaredError(), lambda t, p: keras.ops.mean((t - p) ** 2, -1)],
    ids=["string", "object", "function"],
)
def test_a_loss_for_a_model_that_is_not_compiled(loss, x, y):
    model = model_of(L.Dense(2, kernel_regularizer="l2", activity_regularizer="l2"), loss=None)
    result = passes(gradient_check(model, x, y, loss=loss))
    assert not model.compiled
    x, y = x.astype(np.float64), y.astype(np.float64)
    kernel, bias = (w.astype(np.float64) for w in model.get_weights())
    outputs = x @ kernel + bias
    dz = (outputs - y + 0.02 * outputs) / len(x)
    exact = {"kernel": x.T @ dz + 0.02 * kernel, "bias": dz.sum(0)}
    for found in result.worst:
        expected = exact[found.path.split("/")[-1]][found.index]
        assert found.analytic == pytest.approx(expected, rel=1e-7)  # 0.01 is Keras's, in float32


def test_a_loss_for_each_output_of_a_model_that_is_not_compiled(x, y, classes):
    inputs = keras.Input((5,))
    outputs = [L.Dense(2, name="p")(inputs), L.Dense(3, "softmax", name="q")(inputs)]
    model = keras.Model(inputs, outputs)
    listed, named = (
        passes(gradient_check(model, x, [y, classes], loss=loss))
        for loss in (["mse", SPARSE], {"q": SPARSE, "p": "mse"})
    )
    assert listed == named


def test_a_given_loss_stands_in_for_the_compiled_one(x, y):
    model = model_of(L.Dense(2))
    own, given = gradient_check(model, x, y), gradient_check(model, x, y, loss="mae")
    assert own.worst[0].analytic != given.worst[0].analytic


class Subclassed(keras.Model):
    """No config, layers in a list, a loss of its own, and a cost of its own."""

    def __init__(self, unknown):
        super().__init__()
        self.unknown, self.parts = unknown, [L.Dense(3, "tanh"), BatchNorm(), L.Dense(2)]
        self.tracker = keras.metrics.Mean(name="tracker")

    def call(self, x, training=None):
        for part in self.parts:
            x = part(x)
        self.add_loss(0.1 * keras.ops.sum(x**2))
        return x

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        cost = keras.ops.mean((y_pred - y) ** 4) + sum(self.losses)
        self.tracker.update_state(cost)
        return cost


@MODES
def test_a_subclassed_model(training, x, y):
    model = Subclassed(object())
    model(x)
    passes(gradient_check(model, x, y, training=training))
    assert float(model.tracker.count) == 0


def test_a_function():
    result = passes(gradient_check(lambda w: w**2 - 10 * w + 25, 3.0))
    (only,) = result.worst
    assert (only.path, only.index, only.analytic) == ("w", (), -4.0)
    assert only.numeric == pytest.approx(-4)


def test_a_function_of_several_parameters(rng):
    def cost(w, b):
        if tf.reduce_sum(b) > 0:  # which needs autograph
            return tf.reduce_sum(tf.matmul(w, w) * b)
        return tf.reduce_sum(w)

    w, b = rng.normal(size=(3, 3)), [1, 2, 3]
    assert [*passes(gradient_check(cost, [w, b])).ratios] == ["w", "b"]
    several = gradient_check(lambda *v: tf.reduce_sum(v[0] * v[1] ** 2), (w[0], w[1]))
    assert [*passes(several).ratios] == ["x[0]", "x[1]"]
    assert passes(gradient_check(tf.reduce_logsumexp, tf.Variable([1.0, 2.0]))).total == 2


# --- what a step does -----------------------------------------------------------------------


def test_batch_norm_and_dropout_are_those_of_the_mode(x, y):
    for layer in (BatchNorm(), L.BatchNormalization(), L.Dropout(0.5)):
        model = model_of(layer, L.Dense(2))
        test, training = (gradient_check(model, x, y, training=t) for t in (False, True))
        gradients = [{(d.path, d.index): d.analytic for d in r.worst} for r in (test, training)]
        common = gradients[0].keys() & gradients[1].keys()
        assert common
        assert all(gradients[0][k] != gradients[1][k] for k in common)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_the_step_grows_with_the_parameter(size):
    """With a step of 1e-5 everywhere the rounding of 1e12 would be 10, and 1e-3 is far from 0."""
    passes(gradient_check(lambda w: tf.reduce_sum(w**2), np.array([size, 2 * size])))


@pytest.mark.parametrize("near", [0.0, 5e-6, -9e-6])
def test_a_kink_is_no_error(near):
    """At 0 there is no derivative; beside it there is one, but not from 1e-5 to both sides."""
    result = gradient_check(lambda w: tf.reduce_sum(tf.nn.relu(w) + w**2), np.array([near, 1.0]))
    passes(result, kinks=int(near == 0))
    assert ("left out: J has a kink there" in str(result)) == (near == 0)
    assert [d.index for d in result.worst if d.index == (0,)] == [(0,)] * (near != 0)


def test_examples_of_zeros_lie_on_the_kinks_of_relu(x, y):
    """The biases are 0: three examples are at the kink of each ReLU that they reach."""
    x[3:6] = 0
    model = model_of(L.Dense(8, "relu"), L.Dense(2))
    result = gradient_check(model, x, y)
    passes(result, kinks=8)
    assert f"{result.total - 8} of {result.total} parameters checked;" in str(result)


def test_a_gradient_beyond_both_sides_of_a_kink_is_wrong():
    @tf.custom_gradient
    def absolute(w):
        return tf.abs(w), lambda upstream: upstream * (tf.sign(w) + 1.5)

    result = gradient_check(absolute, 0.0)
    assert (result.verdict, result.kinks) == ("suspicious", 0)


def test_nothing_but_kinks_is_no_pass():
    result = gradient_check(tf.nn.relu, 0.0)
    assert (result.verdict, result.checked, result.kinks) == ("uncertain", 0, 1)
    assert result.worst == ()


def test_where_all_is_rounding_there_is_no_verdict():
    optimum = gradient_check(lambda w: w**2 - 10 * w + 25, 5.0)
    offset = gradient_check(lambda w: 1e6 + 1e-3 * tf.sin(w), 0.5)
    for result in (optimum, offset):
        assert (result.verdict, result.rounding > result.ratio > 1e-5) == ("uncertain", True)
        assert "the rounding of J alone may cause this" in str(result)
    assert gradient_check(lambda w: 0 * w, 5.0).verdict == "pass"  # 0/0 is 0


def test_a_variable_without_a_gradient_does_not_look_wrong(x, y):
    """Course 2.4: the mean of the batch norm cancels the bias; both its gradients are rounding."""
    model = model_of(L.Dense(4), BatchNorm(), L.Dense(2))
    result = passes(gradient_check(model, x, y, training=True))
    bias = model.layers[0].bias.path
    assert result.ratios[bias] == 0
    assert all(0 < ratio < 1e-7 for path, ratio in result.ratios.items() if path != bias)


# --- wrong gradients ------------------------------------------------------------------------


def test_a_planted_error_in_one_parameter_is_found_and_named(rng):
    """The gradient of w[2, 1] is too large by a thousandth."""
    w, wrong = rng.normal(size=(4, 3)), np.ones((4, 3))
    wrong[2, 1] += 1e-3

    @tf.custom_gradient
    def cost(w, b):
        return tf.reduce_sum(w**3) + b**2, lambda up: (up * 3 * w**2 * wrong, up * 2 * b)

    result = gradient_check(cost, [w, 0.5])
    assert result.verdict == "suspicious"
    worst = result.worst[0]
    assert (worst.path, worst.index) == ("w", (2, 1))
    assert worst.numeric == pytest.approx(3 * w[2, 1] ** 2, rel=1e-8)
    assert worst.analytic == pytest.approx(3.003 * w[2, 1] ** 2, rel=1e-12)
    gradient = np.append(3 * w**2, 1.0)
    size = np.linalg.norm(gradient)
    off = np.linalg.norm(np.append(3 * w**2 * wrong, 1.0))
    assert result.ratio == pytest.approx(3e-3 * w[2, 1] ** 2 / (size + off), rel=1e-5)
    assert result.ratios["b"] < 1e-7 < result.ratios["w"]
    lines = str(result).splitlines()
    assert lines[0].startswith("suspicious: ratio ")
    assert lines[1] == "13 of 13 parameters checked; epsilon 1e-05"
    assert lines[2] == "the largest differences:"
    assert lines[3].startswith("  w[2, 1]: numeric ")
    assert len(lines) == 4  # no others differ


@MODES
def test_a_wrong_layer_is_found_and_named(training, x, y):
    @tf.custom_gradient
    def square(z):
        return z**2, lambda up: up * 2.002 * z

    layers = [L.Dense(4, "tanh"), BatchNorm(), L.Dense(4, square, name="wrong"), L.Dense(2)]
    result = gradient_check(model_of(*layers), x, y, training=training)
    assert result.verdict == "suspicious"
    # What comes before it inherits the error; what comes after it has none.
    after = result.ratios.popitem()[1], result.ratios.popitem()[1]
    assert max(after) < 1e-7 < 1e-5 < min(result.ratios.values())
    assert "/wrong/bias" in [*result.ratios][-1]
    assert [*result.differing] == [*result.ratios]
    line = str(result).splitlines()[-1]
    assert re.fullmatch(
        r"variables that differ \(an error spoils those before it too: begin with the last\): "
        r"(\S+ \S+, )+\S+/wrong/bias \S+",
        line,
    )


def test_an_error_that_the_others_outweigh_is_still_named():
    """The course's ratio is of all parameters together."""

    @tf.custom_gradient
    def cost(large, small):
        return 1e5 * large + small**2, lambda up: (up * 1e5, up * 4 * small)

    result = gradient_check(cost, [1e-6, 1e-3])
    assert result.verdict == "pass"
    assert result.differing == ("small",)
    assert str(result).endswith("begin with the last): small 3e-01")


def test_an_error_between_the_limits_is_uncertain():
    @tf.custom_gradient
    def cost(w):
        return w**2, lambda up: up * 2 * w * (1 + 4e-6)

    result = gradient_check(cost, 3.0)
    assert result.verdict == "uncertain"
    assert result.ratio == pytest.approx(2e-6, rel=1e-3)
    assert "rounding" not in str(result)


def test_what_no_gradient_reaches():
    result = gradient_check(lambda w, b: w**2 + tf.stop_gradient(b) ** 2, [1.0, 2.0])
    assert (result.verdict, result.unconnected) == ("suspicious", ("b",))
    assert "no gradient reaches b: taken as 0" in str(result)
    assert (result.worst[0].path, result.worst[0].analytic) == ("b", 0)
    # Where it does not matter either, zero is right.
    assert gradient_check(lambda w, b: w**2, [1.0, 2.0]).verdict == "pass"


def test_a_gradient_that_is_no_number():
    result = gradient_check(lambda w, b: tf.sqrt(w) + b**2, [0.0, 1.0])
    assert result.verdict == "suspicious"
    assert math.isnan(result.ratio)
    assert result.worst[0].path == "w"
    assert "  w: numeric nan, analytic inf" in str(result)


# --- a sample -------------------------------------------------------------------------------


def test_a_large_model_is_sampled(rng):
    layers = [L.Dense(128, "tanh"), L.Dense(3, use_bias=False), SoftmaxHead(10)]
    model = model_of(*layers, shape=(784,), loss=SPARSE)
    data = rng.normal(size=(4, 784)), rng.integers(0, 10, 4)
    result = gradient_check(model, *data, max_parameters=50)
    assert result.verdict == "pass"
    assert (result.checked, result.total) == (50, 784 * 128 + 128 + 384 + 30 + 10)
    assert all(ratio > 0 for ratio in result.ratios.values())  # some of each
    assert "50 of 100,904 parameters checked, some of every variable;" in str(result)
    again, other = (gradient_check(model, *data, max_parameters=50, seed=s) for s in (0, 1))
    places = [{d.place for d in r.worst} for r in (result, again, other)]
    assert places[0] == places[1] != places[2]


def test_a_sample_of_a_variable_each(x, y):
    model = model_of(L.Dense(4), L.Dense(2))
    assert gradient_check(model, x, y, max_parameters=4).checked == 4


# --- the model stays as it is ---------------------------------------------------------------


def make(seed=3):
    keras.utils.set_random_seed(seed)
    layers = [
        L.Dense(6, "relu", activity_regularizer="l2"),
        BatchNorm(bias_correction=True),
        L.BatchNormalization(),
        L.Dropout(0.5),
        L.Dense(3, "softmax", dtype=keras.DTypePolicy("float32")),
    ]
    return model_of(*layers, loss=SPARSE, optimizer="adam", metrics=["accuracy"])


def state_of(model):
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    layers = model._flatten_layers()
    inputs = [*model.inputs, *model._functional.inputs, model._functional.layers[0]]
    return {
        "values": [(v.path, v.numpy().tobytes(), v.dtype) for v in variables],
        "policies": [(layer, layer.dtype_policy, layer.trainable) for layer in layers],
        "inputs": [(id(i), i.dtype) for i in inputs],
        "loss": (id(model._compile_loss), model._compile_loss.built, model.loss),
        "losses": [id(loss) for layer in layers for loss in layer._losses],
        "calls": [({*layer._loss_ids}, layer._called) for layer in layers],
        "keras": (keras.config.floatx(), keras.config.dtype_policy().name),
    }


def test_the_model_is_not_changed(x, classes):
    model, twin = make(), make()
    for each in (model, twin):
        each.fit(x, classes, epochs=1, verbose=0, shuffle=False)
        each(x, training=True)  # leaves losses behind
    before = state_of(model)
    gradient_check(model, x, classes, training=True)
    assert state_of(model) == before
    for each in (model, twin):
        each.fit(x, classes, epochs=2, verbose=0, shuffle=False)
    for ours, theirs in zip(model.variables, twin.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_nor_is_a_new_one(x, classes):
    """Its compiled loss is not built yet, nor its optimizer; Keras's own seeds stay too."""
    model, before = make(), state_of(make())
    before = state_of(model)
    keras.utils.set_random_seed(1)
    expected = keras.random.uniform((2,)).numpy()
    keras.utils.set_random_seed(1)
    gradient_check(model, x, classes, training=True)
    assert state_of(model) == before
    np.testing.assert_array_equal(keras.random.uniform((2,)), expected)


class Unseeded(L.Layer):
    def call(self, x):
        return x * keras.random.uniform(tf.shape(x), dtype=x.dtype)


def test_keras_own_seed_is_drawn_once_and_not_used_up(x, y):
    """Also where it was not there before: the check's trace must not be what makes it."""
    model = model_of(L.Dense(3), Unseeded(), L.Dense(2))
    keras.utils.clear_session()
    passes(gradient_check(model, x, y))
    first, second = (keras.random.uniform((4,)).numpy() for _ in range(2))
    assert not np.array_equal(first, second)


@keras.saving.register_keras_serializable(package="tests")
class Failing(L.Layer):
    """Fails in the way that it is told, but only in a check."""

    def __init__(self, how):
        super().__init__()
        self.how, self.state = how, self.add_weight(name="calls", trainable=False)

    def call(self, x):
        self.state.assign_add(1.0)
        if x.dtype == "float64" and self.how == "raise":
            raise KeyError("on purpose")
        if x.dtype == "float64" and self.how == "nan":
            return x * np.nan
        return x * tf.constant(2.0) if self.how == "float32" else x


@pytest.mark.parametrize(
    ("how", "error"), [("raise", KeyError), ("nan", InputError), ("float32", InputError)]
)
def test_nor_when_the_check_fails(how, error, x, y):
    model = model_of(BatchNorm(), L.Dense(2), Failing(how), optimizer="adam")
    before = state_of(model)
    with pytest.raises(error):
        gradient_check(model, x, y, training=True)
    assert state_of(model) == before
    np.testing.assert_array_equal(model(x).dtype, "float32")


# --- wrong input ----------------------------------------------------------------------------


def rejects(message, *arguments, **options):
    with pytest.raises(InputError, match=re.escape(message)):
        gradient_check(*arguments, **options)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"epsilon": 0}, "epsilon must be a number > 0. Received: 0."),
        ({"epsilon": -1e-5}, "epsilon must be a number > 0. Received: -1e-05."),
        ({"epsilon": math.nan}, "epsilon must be a number > 0. Received: nan."),
        ({"epsilon": math.inf}, "epsilon must be a number > 0. Received: inf."),
        ({"epsilon": "1"}, "epsilon must be a number > 0. Received: '1'."),
        ({"max_parameters": 0}, "max_parameters must be a whole number >= 1. Received: 0."),
        ({"max_parameters": 1.5}, "max_parameters must be a whole number >= 1. Received: 1.5."),
        ({"max_parameters": True}, "max_parameters must be a whole number >= 1. Received: True."),
        ({"max_parameters": 3}, "max_parameters must be at least the number of variables, 4, "),
        ({"seed": -1}, "seed must be a whole number >= 0. Received: -1."),
        ({"training": None}, "training must be True or False. Received: None."),
        ({"y": None}, "y must be the labels that the loss takes. Received: None."),
        (
            {"y": np.zeros((11, 2))},
            "must be of one length, at least 1. Received: x of 12, y of 11.",
        ),
        (
            {"sample_weight": np.ones(3)},
            "at least 1. Received: x of 12, y of 12, sample_weight of 3.",
        ),
        ({"x": 3.0}, "x must be an array, or a list or dict of arrays. Received: 3.0."),
        ({"x": np.zeros((0, 5)), "y": np.zeros((0, 2))}, "at least 1. Received: x of 0, y of 0."),
        ({"x": np.full((12, 5), np.nan)}, "must be a finite number. Received: nan. Look for NaN"),
    ],
)
def test_wrong_arguments_for_a_model(option, message, x, y):
    model = model_of(L.Dense(3), L.Dense(2))
    rejects(message, model, **{"x": x, "y": y, **option})


def test_models_that_cannot_be_checked(x, y):
    rejects(
        'model "bare" must be built, so that it has weights. Call it on a batch',
        *(keras.Sequential([L.Dense(2)], name="bare"), x, y),
    )
    frozen = model_of(L.Dense(2))
    frozen.trainable = False
    rejects("must have trainable weights. Received: none; look for trainable=False.", frozen, x, y)
    rejects(
        'must have a loss. Compile it, or give loss="mse"', model_of(L.Dense(2), loss=None), x, y
    )
    rejects(
        "must give a scalar cost, a floating-point number. Received: shape (12,), float64.",
        *(model_of(L.Dense(2), loss=keras.losses.MeanSquaredError(reduction=None)), x, y),
    )
    rejects("Wrap the layer: keras.Sequential([layer]).", L.Dense(2), x, y)


@keras.saving.register_keras_serializable(package="tests")
class Narrow(L.Layer):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def call(self, x):
        if self.how == "constant":
            return x * tf.constant(2.0)
        if self.how == "cast":
            return tf.cast(tf.cast(x, "float32"), x.dtype)
        if self.how == "comparison":  # has no slope, and may be of any kind
            return x * tf.cast(tf.cast(x > 0, "float32") + 1, x.dtype)
        return x * tf.random.uniform(tf.shape(x), dtype=x.dtype)


def test_layers_that_cannot_be_checked(x, y):
    def model(how):
        return model_of(L.Dense(2), Narrow(how))

    rejects(
        "could not be computed in float64: Exception encountered when calling Narrow.call(). Input "
        "'y' of 'Mul' Op has type float32 that does not match type float64 of argument 'x'. If "
        "this is a matter of dtypes, let it make tensors of the dtype of its inputs",
        *(model("constant"), x, y),
    )
    with pytest.raises(InputError, match=r'computes ".*narrow.*/Cast" in float32, whose rounding'):
        gradient_check(model("cast"), x, y)
    with pytest.raises(InputError, match=r"must be the same each time. Received: .*SeedGenerator"):
        gradient_check(model("random"), x, y)
    passes(gradient_check(model("comparison"), x, y))


@pytest.mark.parametrize(
    ("function", "x", "message"),
    [
        (3, 1.0, "must be a Keras model or a function of tensors. Received: 3."),
        (
            tf.square,
            "one",
            "x must be the function's parameter, an array of numbers, or a list of ",
        ),
        (tf.square, [], "or a list of several. Received: []."),
        (tf.square, np.zeros(0), "or a list of several. Received: array([]"),
        (tf.square, [[1.0, 2.0]], 'function "square" must give a scalar cost'),
        (lambda w: tf.cast(w, tf.int32), 1.0, "Received: shape (), int32."),
        (lambda w: tf.cast(w, tf.float32), 1.0, '"Cast" in float32, whose rounding is larger'),
        (tf.math.log, -1.0, 'cost of function "log" must be a finite number. Received: nan.'),
        (lambda w: w * np.float32(1) + tf.Variable(1.0), 1.0, "could not be computed in float64: "),
        (lambda w: tf.random.normal((), dtype=w.dtype) * w, 1.0, "must be the same each time."),
    ],
)
def test_functions_that_cannot_be_checked(function, x, message):
    rejects(message, function, x)


def test_float32_inside_a_loop_is_seen():
    def cost(w):
        def body(i, a):
            return i + 1, tf.cast(tf.cast(a, tf.float32), tf.float64) * w

        return tf.while_loop(lambda i, a: i < 3, body, (0, w))[1]

    rejects('Cast" in float32, whose rounding is larger than the differences', cost, 2.0)


@pytest.mark.parametrize(
    "option", [{"y": np.ones(1)}, {"sample_weight": 1}, {"loss": "mse"}, {"training": True}]
)
def test_what_is_for_models_only(option):
    rejects(f"{next(iter(option))} is for a model.", tf.square, 1.0, **option)


def test_the_result_is_frozen():
    result = gradient_check(tf.square, 1.0)
    assert isinstance(result, GradientCheck)
    with pytest.raises(AttributeError):
        result.ratio = 0


@pytest.mark.parametrize(("verbose", "text"), [("auto", "gradient_check: 4 parameters\n"), (0, "")])
def test_a_long_check_is_named_on_stderr(verbose, text, monkeypatch, capsys):
    monkeypatch.setattr("tfcourse.notices.threading.Timer", AtOnce)
    gradient_check(lambda w: tf.reduce_sum(w**2), np.ones(4), verbose=verbose)
    assert capsys.readouterr().err == text
