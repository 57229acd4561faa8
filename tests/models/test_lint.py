"""`lint`: each rule where it must speak and where it must not, and what it says is true."""

import functools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcourse.errors import InputError
from tfcourse.layers import BatchNorm, SoftmaxHead
from tfcourse.losses import SmoothedCrossentropy
from tfcourse.models import mlp
from tfcourse.models.graph import named_layers
from tfcourse.models.lint import Finding, lint

L = keras.layers
KERAS_BN, OURS = L.BatchNormalization, BatchNorm
CATEGORICAL = keras.losses.CategoricalCrossentropy
SPARSE = keras.losses.SparseCategoricalCrossentropy
BINARY = keras.losses.BinaryCrossentropy


def found(model, **arguments):
    return [(f.rule, f.layer) for f in lint(model, **arguments)]


def chain(*layers, shape=(4,)):
    """A Sequential model; lists of layers become nested models."""
    return keras.Sequential([keras.Input(shape), *layers])


def compiled(loss, *layers, shape=(4,)):
    model = chain(*layers, shape=shape)
    model.compile("sgd", loss)
    return model


# Rule 1: a bias that batch norm cancels.

BIASED = {
    "dense": ((4,), lambda **k: L.Dense(3, name="z", **k)),
    "dense on a sequence": ((5, 4), lambda **k: L.Dense(3, name="z", **k)),
    "conv1d": ((8, 2), lambda **k: L.Conv1D(3, 2, name="z", **k)),
    "conv2d": ((8, 8, 2), lambda **k: L.Conv2D(3, 2, name="z", **k)),
    "conv3d": ((4, 4, 4, 2), lambda **k: L.Conv3D(3, 2, name="z", **k)),
    "conv1d transpose": ((8, 2), lambda **k: L.Conv1DTranspose(3, 2, name="z", **k)),
    "conv2d transpose": ((4, 4, 2), lambda **k: L.Conv2DTranspose(3, 2, name="z", **k)),
    "depthwise": ((8, 8, 2), lambda **k: L.DepthwiseConv2D(2, name="z", **k)),
    "separable": ((8, 8, 2), lambda **k: L.SeparableConv2D(3, 2, name="z", **k)),
}


def gradients(model, batch=4):
    """The largest |gradient| of each layer's bias, relative to that of its first kernel."""
    rng = np.random.default_rng(1)
    shapes = [(batch, *tensor.shape[1:]) for tensor in model.inputs]
    x = [tf.constant(rng.normal(size=shape), model.compute_dtype) for shape in shapes]
    layers = [(n, a) for n, a in named_layers(model) if getattr(a, "bias", None) is not None]
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(model(x if len(x) > 1 else x[0], training=True))
        loss = tf.add_n([tf.reduce_sum(tf.sin(3 * y) * rng.normal(size=y.shape)) for y in outputs])
        loss += sum(model.losses)
    values = [[a.bias.value, a.trainable_weights[0].value] for _, a in layers]
    return {
        name: float(tf.reduce_max(tf.abs(bias)) / tf.reduce_max(tf.abs(kernel)))
        for (name, _), (bias, kernel) in zip(layers, tape.gradient(loss, values), strict=True)
    }


@pytest.mark.parametrize("batch_norm", [OURS, KERAS_BN], ids=["ours", "keras"])
@pytest.mark.parametrize(("shape", "layer"), BIASED.values(), ids=BIASED)
def test_useless_bias(shape, layer, batch_norm):
    keras.config.set_dtype_policy("float64")
    model = chain(layer(), batch_norm(), L.ReLU(), L.Flatten(), L.Dense(2, name="out"), shape=shape)
    assert found(model) == [("useless_bias", "z")]
    relative = gradients(model)
    assert relative["z"] < 1e-12 < 1e-3 < relative["out"]
    model = chain(layer(use_bias=False), batch_norm(), L.ReLU(), shape=shape)
    assert found(model) == []


def two_batch_norms():
    inputs = keras.Input((4,))
    z = L.Dense(3, name="z")(inputs)
    return keras.Model(inputs, L.Add()([OURS()(z), KERAS_BN()(z)]))


def shared_dense():
    a, b, dense = keras.Input((4,)), keras.Input((4,)), L.Dense(3, name="z")
    return keras.Model([a, b], L.Add()([OURS()(dense(a)), OURS()(dense(b))]))


def channels_first():
    return chain(
        L.Conv2D(3, 2, data_format="channels_first", name="z"), OURS(axis=1), shape=(2, 8, 8)
    )


@pytest.mark.parametrize("build", [two_batch_norms, shared_dense, channels_first])
def test_useless_bias_in_every_branch(build):
    assert found(build()) == [("useless_bias", "z")]


def also_used_elsewhere():
    inputs = keras.Input((4,))
    z = L.Dense(3)(inputs)
    return keras.Model(inputs, L.Add()([OURS()(z), z]))


def also_an_output():
    inputs = keras.Input((4,))
    z = L.Dense(3)(inputs)
    return keras.Model(inputs, [z, OURS()(z)])


def also_used_by_an_operation():
    inputs = keras.Input((4,))
    z = L.Dense(3)(inputs)
    return keras.Model(inputs, OURS()(z) + keras.ops.exp(z))


def shared_with_another_branch():
    a, b, dense = keras.Input((4,)), keras.Input((4,)), L.Dense(3)
    return keras.Model([a, b], L.Add()([OURS()(dense(a)), dense(b)]))


class OwnDense(L.Dense):
    def call(self, inputs):
        return super().call(inputs) ** 2


class OwnBatchNorm(KERAS_BN):
    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False)


USEFUL = {
    "used elsewhere": also_used_elsewhere,
    "an output": also_an_output,
    "an operation": also_used_by_an_operation,
    "shared": shared_with_another_branch,
    "activation": lambda: chain(L.Dense(3, activation="relu"), OURS()),
    "activation layer": lambda: chain(L.Dense(3), L.ReLU(), OURS()),
    "other axis": lambda: chain(L.Dense(3), OURS(axis=1), shape=(5, 4)),
    "reshaped": lambda: chain(L.Dense(6), L.Reshape((3, 2)), OURS()),
    "other norm": lambda: chain(L.Dense(3), L.LayerNormalization()),
    "frozen batch norm": lambda: chain(L.Dense(3), OURS(trainable=False)),
    "activity": lambda: chain(L.Dense(3, activity_regularizer="l2"), OURS()),
    "dense of one's own": lambda: chain(OwnDense(3), OURS()),
    "batch norm of one's own": lambda: chain(L.Dense(3), OwnBatchNorm()),
}


@pytest.mark.parametrize("build", USEFUL.values(), ids=USEFUL)
def test_useful_bias(build):
    """Not reported, and its gradient is there."""
    keras.config.set_dtype_policy("float64")
    model = build()
    assert found(model) == []
    assert min(gradients(model).values()) > 1e-3


def test_the_statistics_of_other_channels():
    """Without gradients: a CPU has no convolution of this layout."""
    conv = L.Conv2D(3, 2, data_format="channels_first")
    assert found(chain(conv, OURS(axis=-1), shape=(2, 8, 8))) == []


# Rules 2 to 4: outputs, losses and labels.

SOFTMAX = {
    "head": lambda: [SoftmaxHead(3, name="out")],
    "dense": lambda: [L.Dense(3, activation="softmax", name="out")],
    "layer": lambda: [L.Dense(3), L.Softmax(name="out")],
    "activation": lambda: [L.Dense(3), L.Activation("softmax", name="out")],
    "tensorflow's": lambda: [L.Dense(3, activation=tf.nn.softmax, name="out")],
    "cast": lambda: [SoftmaxHead(3, name="out"), L.Activation("linear", dtype="float32")],
    "nested": lambda: [keras.Sequential([L.Dense(3, activation="softmax", name="out")], name="m")],
}
LOGITS = {
    "head": lambda: [SoftmaxHead(3, logits=True, name="out")],
    "dense": lambda: [L.Dense(3, name="out")],
    "cast": lambda: [L.Dense(3, name="out"), L.Activation("linear", dtype="float32")],
    "nested": lambda: [keras.Sequential([L.Dense(3, name="out")], name="m")],
}
EXCLUSIVE = {
    "sparse": lambda logits: SPARSE(from_logits=logits),
    "categorical": lambda logits: CATEGORICAL(from_logits=logits),
    "focal": lambda logits: keras.losses.CategoricalFocalCrossentropy(from_logits=logits),
    "partial": lambda logits: functools.partial(
        keras.losses.sparse_categorical_crossentropy, from_logits=logits
    ),
    "a list": lambda logits: [SPARSE(from_logits=logits)],
    "smoothed": lambda logits: SmoothedCrossentropy(
        "sparse_categorical_crossentropy", 0.1, from_logits=logits
    ),
}


@pytest.mark.parametrize("loss", EXCLUSIVE.values(), ids=EXCLUSIVE)
@pytest.mark.parametrize("layers", SOFTMAX.values(), ids=SOFTMAX)
def test_probabilities_as_logits(layers, loss):
    ((rule, layer),) = found(compiled(loss(True), *layers()))
    assert (rule, layer.removeprefix("m/")) == ("output_and_loss", "out")
    assert found(compiled(loss(False), *layers())) == []


@pytest.mark.parametrize("loss", EXCLUSIVE.values(), ids=EXCLUSIVE)
@pytest.mark.parametrize("layers", LOGITS.values(), ids=LOGITS)
def test_logits_as_probabilities(layers, loss):
    ((rule, layer),) = found(compiled(loss(False), *layers()))
    assert (rule, layer.removeprefix("m/")) == ("output_and_loss", "out")
    assert found(compiled(loss(True), *layers())) == []


def test_the_second_softmax_is_real_where_keras_has_lost_the_logits():
    model = compiled(SPARSE(from_logits=True), SoftmaxHead(3), L.Reshape((3,)))
    assert [rule for rule, _ in found(model)] == ["output_and_loss"]
    x, y = np.random.default_rng(0).normal(size=(8, 4)), np.arange(8) % 3
    p = model.predict(x, verbose=0).astype("float64")
    twice = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
    loss = model.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(loss, -np.log(twice[range(8), y]).mean(), rtol=1e-5)
    model = compiled(SPARSE(from_logits=True), SoftmaxHead(3))
    with pytest.warns(UserWarning, match="does not represent logits"):
        loss = model.evaluate(x, y, verbose=0)
    p = model.predict(x, verbose=0)
    np.testing.assert_allclose(loss, -np.log(p[range(8), y]).mean(), rtol=1e-5)


@pytest.mark.parametrize(
    ("activation", "loss", "wrong"),
    [
        ("sigmoid", "binary_crossentropy", False),
        ("sigmoid", "bce", False),
        ("sigmoid", BINARY(from_logits=True), True),
        ("sigmoid", keras.losses.BinaryFocalCrossentropy(from_logits=True), True),
        ("linear", BINARY(from_logits=True), False),
        ("linear", "binary_crossentropy", True),
        ("linear", keras.losses.binary_crossentropy, True),
        ("linear", "mse", False),
        ("linear", lambda y, p: p, False),
        ("relu", "mse", False),
        (lambda z: keras.ops.sigmoid(z), BINARY(from_logits=True), False),
    ],
)
def test_one_yes_or_no(activation, loss, wrong):
    model = compiled(loss, L.Dense(1, activation=activation, name="out"))
    assert found(model) == [("output_and_loss", "out")] * wrong


def test_operations_at_the_end():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.ops.softmax(L.Dense(3)(inputs)))
    model.compile("sgd", SPARSE(from_logits=True))
    assert [rule for rule, _ in found(model)] == ["output_and_loss"]
    model.compile("sgd", SPARSE())
    assert found(model) == []
    # What an operation of another kind makes of the logits cannot be told.
    model = keras.Model(inputs, keras.ops.exp(L.Dense(3)(inputs)))
    model.compile("sgd", SPARSE())
    assert found(model) == []


@pytest.mark.parametrize(
    "layers",
    [
        [L.Dense(6, activation="softmax"), L.Reshape((3, 2))],
        [L.Dense(6), L.Reshape((3, 2)), L.Softmax(axis=1)],
        [L.LSTM(3), L.Activation("linear")],
    ],
    ids=["over other axes", "along another axis", "of an LSTM"],
)
@pytest.mark.parametrize("from_logits", [True, False])
def test_outputs_that_are_not_understood(layers, from_logits):
    shape = (5, 4) if isinstance(layers[0], L.LSTM) else (4,)
    assert found(compiled(SPARSE(from_logits=from_logits), *layers, shape=shape)) == []


@pytest.mark.parametrize(
    ("units", "activation", "loss", "rules"),
    [
        (1, "linear", "sparse_categorical_crossentropy", ["loss_and_labels"]),
        (1, "sigmoid", "sparse_categorical_crossentropy", ["loss_and_labels"]),
        (1, "sigmoid", "categorical_crossentropy", ["loss_and_labels"]),
        (1, "softmax", "mse", ["loss_and_labels"]),
        (1, "softmax", "binary_crossentropy", ["loss_and_labels"]),
        (3, "softmax", "binary_crossentropy", ["loss_and_labels"]),
        (2, "softmax", "binary_crossentropy", []),
        (3, "softmax", "kld", []),
        (3, "sigmoid", "sparse_categorical_crossentropy", ["sigmoid_classes"]),
        (3, "sigmoid", CATEGORICAL(from_logits=True), ["sigmoid_classes"]),
        (3, "sigmoid", "categorical_crossentropy", ["sigmoid_classes"]),
        (3, "sigmoid", "binary_crossentropy", []),
        (3, "sigmoid", "mse", []),
        (3, "tanh", "mse", []),
    ],
)
def test_units(units, activation, loss, rules):
    model = compiled(loss, L.Dense(units, activation=activation, name="out"))
    assert found(model) == [(rule, "out") for rule in rules]


ONE_HOT = np.eye(3)[[0, 1, 2, 0]]


@pytest.mark.parametrize(
    ("loss", "units", "y", "said"),
    [
        ("sparse_categorical_crossentropy", 3, [0, 1, 2, 0], None),
        ("sparse_categorical_crossentropy", 3, [[0], [1], [2], [0]], None),
        ("sparse_categorical_crossentropy", 3, [0.0, 1.0, 2.0], None),
        ("sparse_categorical_crossentropy", 3, tf.constant([0, 1, 2]), None),
        ("sparse_categorical_crossentropy", 3, ONE_HOT, "labels have 3 columns"),
        ("sparse_categorical_crossentropy", 3, [1, 2, 3], "0 to 2; the labels lie between 1 and 3"),
        ("sparse_categorical_crossentropy", 3, [-1, 2], "between -1 and 2"),
        ("sparse_categorical_crossentropy", 3, [0.5, 2], "between 0.5 and 2"),
        (SPARSE(ignore_class=-1), 3, [-1, 2], None),
        (SPARSE(ignore_class=255), 3, [255, 3], "between 3 and 3"),
        ("categorical_crossentropy", 3, ONE_HOT, None),
        ("categorical_crossentropy", 3, 0.9 * ONE_HOT + 0.1 / 3, None),
        ("categorical_crossentropy", 3, [[0.5, 0.5004, 0]], None),
        ("categorical_crossentropy", 3, [0, 1, 2, 0], "labels have shape (4,)"),
        ("categorical_crossentropy", 3, [[0], [1]], "labels have shape (2, 1)"),
        ("categorical_crossentropy", 3, [[1, 1, 0]], "add up to more than 1"),
        ("categorical_crossentropy", 3, [[-1, 1, 1]], "negative"),
        ("binary_crossentropy", 1, [0, 1], None),
        ("binary_crossentropy", 1, [[0], [1]], None),
        ("binary_crossentropy", 1, [True, False], None),
        ("binary_crossentropy", 1, [0.1, 0.9], None),
        ("binary_crossentropy", 1, [1, 2], "between 1 and 2"),
        ("binary_crossentropy", 1, [-1, 1], "between -1 and 1"),
        ("binary_crossentropy", 1, ONE_HOT, "labels have shape (4, 3)"),
        ("binary_crossentropy", 3, [0, 1, 2, 0], "labels have shape (4,)"),
        ("binary_crossentropy", 3, [[1, 1, 0]], None),
        ("mse", 1, [1, 2], None),
    ],
)
def test_labels(loss, units, y, said):
    binary = loss == "binary_crossentropy"
    model = compiled(loss, L.Dense(units, activation="sigmoid" if binary else "softmax", name="o"))
    findings = [] if loss == "mse" else lint(model, y=y)
    assert [(f.rule, f.layer) for f in findings] == [("loss_and_labels", "o")] * (said is not None)
    if findings:
        assert said in findings[0].message


def test_labels_of_every_position():
    """Sequences and images have a label at each position."""
    model = compiled("sparse_categorical_crossentropy", SoftmaxHead(3, name="o"), shape=(5, 4))
    assert found(model, y=np.full((2, 5), 2)) == []
    assert found(model, y=np.full((2, 5), 3)) == [("loss_and_labels", "o")]
    assert found(model, y=np.ones((2, 5, 3)) / 3) == [("loss_and_labels", "o")]


def two_heads(structure=list):
    inputs = keras.Input((4,))
    kind = L.Dense(3, activation="softmax", name="kind")(inputs)
    flag = L.Dense(1, name="flag")(inputs)
    outputs = [kind, flag] if structure is list else {"k": kind, "f": flag}
    return keras.Model(inputs, outputs)


RIGHT = {"kind": "sparse_categorical_crossentropy", "flag": BINARY(from_logits=True)}
WRONG = {"kind": SPARSE(from_logits=True), "flag": "binary_crossentropy"}


@pytest.mark.parametrize(
    ("structure", "keys"), [(list, None), (list, ("kind", "flag")), (dict, ("k", "f"))]
)
def test_several_outputs(structure, keys):
    def given(by_name):
        return dict(zip(keys, by_name.values(), strict=True)) if keys else list(by_name.values())

    model = two_heads(structure)
    y = given({"kind": [0, 3], "flag": [0, 1]})
    model.compile("sgd", given(RIGHT))
    assert found(model) == []
    assert found(model, y=y) == [("loss_and_labels", "kind")]
    model.compile("sgd", given(WRONG))
    assert sorted(found(model)) == [("output_and_loss", "flag"), ("output_and_loss", "kind")]


def test_one_loss_for_several_outputs_or_for_some():
    model = two_heads()
    model.compile("sgd", "binary_crossentropy")
    assert found(model) == [("output_and_loss", "flag"), ("loss_and_labels", "kind")]
    model.compile("sgd", {"kind": None, "flag": "mse"})
    assert found(model) == []
    model.compile("sgd")
    assert found(model) == []


def test_losses_that_keras_will_not_take():
    """It says so when it trains; here they are no reason to stop."""
    model = two_heads()
    for loss in (["mse"], {"other": "mse"}):
        model.compile("sgd", loss)
        assert found(model) == []


def test_an_unknown_number_of_units():
    model = compiled("binary_crossentropy", L.Activation("sigmoid"), shape=(None,))
    assert found(model, y=[[0, 1]]) == []


def test_without_compile_losses_are_not_judged():
    assert found(chain(L.Dense(3)), y=[7]) == []


def test_a_model_from_a_file(tmp_path):
    model = compiled(SPARSE(from_logits=True), L.Dense(5, name="z"), OURS(), SoftmaxHead(3))
    model.save(tmp_path / "m.keras")
    expected = [(f.rule, f.layer, f.message) for f in lint(model, steps=5)]
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert [(f.rule, f.layer, f.message) for f in lint(loaded, steps=5)] == expected
    assert len(expected) == 3


# Rule 5: dropout right before batch norm.


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        ([L.Dropout(0.5, name="d"), OURS()], "d"),
        ([L.Dropout(0.5, name="d"), KERAS_BN()], "d"),
        ([L.GaussianDropout(0.5, name="d"), OURS()], "d"),
        ([L.SpatialDropout1D(0.5, name="d"), OURS()], "d"),
        ([L.Dropout(0.5, name="d"), L.Flatten(), OURS()], "d"),
        ([L.Dropout(0.0), OURS()], None),
        ([L.AlphaDropout(0.5), OURS()], None),  # keeps mean and variance
        ([L.Dropout(0.5), OURS(trainable=False)], None),
        ([L.Dropout(0.5), L.LayerNormalization()], None),
        ([L.Dropout(0.5), L.Dense(3, use_bias=False), OURS()], None),
        ([OURS(), L.Dropout(0.5)], None),
    ],
)
def test_dropout_before_batch_norm(layers, name):
    model = chain(*layers, shape=(5, 4))
    assert found(model) == ([("dropout_before_batch_norm", name)] if name else [])


def test_dropout_before_batch_norm_leaves_too_large_a_variance():
    model = chain(L.Dropout(0.5), OURS(momentum=0.0))
    x = np.random.default_rng(0).normal(size=(4096, 4)).astype("float32")
    model(x, training=True)
    variance = model.layers[-1].moving_variance.numpy()
    np.testing.assert_allclose(variance, 2 * x.var(axis=0), rtol=0.1)  # 1/keep_prob
    assert found(model) == [("dropout_before_batch_norm", model.layers[0].name)]


# Rule 6: averages that do not settle.


@pytest.mark.parametrize(
    ("layer", "steps", "speaks"),
    [
        (KERAS_BN(name="bn"), 100, True),  # 0.99**100 = 0.37
        (KERAS_BN(name="bn"), 298, True),
        (KERAS_BN(name="bn"), 299, False),  # 0.99**299 = 0.0495
        (OURS(name="bn"), 28, True),
        (OURS(name="bn"), 29, False),  # 0.9**29 = 0.047
        (OURS(momentum=0.99, bias_correction=True), 100, False),
        (OURS(momentum=0.99, trainable=False), 100, False),
        (OURS(momentum=0.99), None, False),
        (OURS(momentum=1.0, name="bn"), 10**6, True),
        (OURS(momentum=0.0), 1, False),
    ],
)
def test_slow_average(layer, steps, speaks):
    assert found(chain(layer), steps=steps) == [("slow_average", "bn")] * speaks


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 29, 100, 1000, 12345, 10**7])
def test_the_momentum_that_would_do(steps):
    (finding,) = lint(chain(OURS(momentum=1.0)), steps=steps)
    (enough,) = re.findall(r"^momentum=([\d.]+) or less", finding.fix)
    assert 0.04 < float(enough) ** steps <= 0.05
    assert found(chain(OURS(momentum=float(enough))), steps=steps) == []


def test_the_share_that_it_names_is_what_is_left():
    model = chain(OURS(momentum=0.9))
    x = np.full((8, 4), 3.0, np.float32)  # of variance 0: what is left of the 1 is the share
    for _ in range(10):
        model(x, training=True)
    left = model.layers[0].moving_variance.numpy()[0]
    assert f"leaves {left:.0%} of the initial" in lint(model, steps=10)[0].message


def test_a_shared_batch_norm_is_updated_at_each_call():
    a, b, shared = keras.Input((4,)), keras.Input((4,)), OURS()
    model = keras.Model([a, b], L.Add()([shared(a), shared(b)]))
    assert len(lint(model, steps=14)) == 1
    assert lint(model, steps=15) == []


def test_a_batch_norm_with_two_names_is_reported_once():
    shared = OURS(momentum=0.99, name="bn")
    inputs = keras.Input((4,))
    inner = [keras.Model(inputs, shared(inputs), name=name) for name in "ab"]
    model = keras.Model(inputs, L.Add()([part(inputs) for part in inner]))
    assert found(model, steps=100) == [("slow_average", "a/bn")]


# Rule 7: batch norm that trains where its surroundings are frozen.


def base(name="base"):
    block = [
        L.Dense(6, use_bias=False, name="d1"),
        OURS(name="bn1"),
        L.ReLU(),
        L.Dense(6, use_bias=False, name="d2"),
        KERAS_BN(name="bn2"),
        L.ReLU(),
    ]
    return keras.Sequential([keras.Input((4,)), *block], name=name)


def on_top(body, **call):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, SoftmaxHead(3, name="top")(body(inputs, **call)))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def moves(model):
    """The names of the batch norms whose moving mean a fit changes."""
    layers = [(n, a) for n, a in named_layers(model) if hasattr(a, "moving_mean")]
    before = [a.moving_mean.numpy() for _, a in layers]
    x = np.random.default_rng(0).normal(1, 1, size=(16, 4))
    model.fit(x, np.zeros(16), verbose=0)
    return [
        n for (n, a), b in zip(layers, before, strict=True) if np.any(a.moving_mean.numpy() != b)
    ]


def freeze(body, batch_norm):
    for layer in body.layers:
        layer.trainable = batch_norm and "bn" in layer.name
    return body


def test_batch_norm_that_trains_between_frozen_layers():
    """The last one has trained layers behind it, as batch norm on top of a frozen base has."""
    model = on_top(freeze(base(), batch_norm=True))
    assert found(model) == [("moving_statistics", "base/bn1")]
    assert moves(model) == ["base/bn1", "base/bn2"]


def test_other_batch_norms_are_looked_past():
    model = chain(
        L.Dense(5, trainable=False), OURS(name="a"), OURS(name="b"), L.Dense(3, trainable=False)
    )
    assert found(model) == [("moving_statistics", "a"), ("moving_statistics", "b")]


@pytest.mark.parametrize("call", [{}, {"training": False}])
def test_a_frozen_base(call):
    for freezing in ("whole", "layer by layer"):
        body = base()
        if freezing == "whole":
            body.trainable = False
        else:
            freeze(body, batch_norm=False)
        model = on_top(body, **call)
        assert found(model) == []
        assert moves(model) == []


def test_unfreezing_does_not_keep_batch_norm_in_inference_mode():
    """The training=True of fit overrides the training=False that the base was called with."""
    body = base()
    body.trainable = False
    model = on_top(body, training=False)
    body.trainable = True
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert found(model) == [("moving_statistics", f"base/bn{n}") for n in (1, 2)]
    assert moves(model) == ["base/bn1", "base/bn2"]
    for layer in body.layers:
        layer.trainable = "bn" not in layer.name
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert found(model) == []
    assert moves(model) == []


def batch_norm_on_top():
    body = base()
    body.trainable = False
    return chain(body, OURS(), L.Dense(3))


def batch_norm_on_a_frozen_layer():
    return chain(L.Dense(5, trainable=False), OURS(), L.Dense(3))


def upper_half_trained():
    body = base()
    for layer in body.layers[:3]:
        layer.trainable = False
    return on_top(body)


def frozen_critic():
    critic = base("critic")
    critic.trainable = False
    return chain(L.Dense(5, use_bias=False), OURS(), L.Dense(4), critic)


def trained_beside_frozen():
    inputs = keras.Input((4,))
    both = [L.Dense(3, trainable=False)(inputs), L.Dense(3)(inputs)]
    return keras.Model(inputs, L.Dense(2, trainable=False)(OURS()(L.Concatenate()(both))))


def frozen_normalization():
    return chain(L.Normalization(mean=0.0, variance=1.0), OURS(), L.Dense(3))


@pytest.mark.parametrize(
    "build",
    [
        batch_norm_on_top,
        batch_norm_on_a_frozen_layer,
        upper_half_trained,
        frozen_critic,
        trained_beside_frozen,
        frozen_normalization,
    ],
)
def test_well_built_fine_tuning(build):
    assert found(build()) == []


# What cannot be seen.


class Block(L.Layer):
    def __init__(self, batch_norm=True, **kwargs):
        super().__init__(**kwargs)
        self.dense = L.Dense(3, name="dense")
        self.norm = OURS(momentum=0.99, name="norm") if batch_norm else L.LayerNormalization()

    def call(self, inputs):
        return self.norm(self.dense(inputs))


class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.block = Block(name="block")

    def call(self, inputs):
        return self.block(inputs)


class OwnCall(keras.Model):
    def call(self, inputs, training=None):
        return 2 * super().call(inputs, training=training)


def test_a_subclassed_model():
    model = Subclassed(name="mine")
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert found(model) == [("not_visible", "mine")]
    assert found(model, steps=5) == [("slow_average", "block/norm"), ("not_visible", "mine")]


def test_a_model_that_is_not_built():
    model = keras.Sequential([L.Dense(3, name="z"), OURS()], name="mine")
    (finding,) = lint(model)
    assert (finding.rule, finding.layer) == ("not_visible", "mine")
    assert "model.build" in finding.fix
    model.build((None, 4))
    assert found(model) == [("useless_bias", "z")]


def test_a_functional_model_with_a_call_of_its_own():
    inputs = keras.Input((4,))
    model = OwnCall(inputs, OURS()(L.Dense(3)(inputs)), name="mine")
    assert found(model) == [("not_visible", "mine")]


class OwnSequential(keras.Sequential):
    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


def test_a_sequential_model_with_a_call_of_its_own():
    (finding,) = lint(OwnSequential([keras.Input((4,)), L.Dense(3), OURS()]))
    assert finding.rule == "not_visible"
    assert "build" not in finding.fix


@pytest.mark.parametrize(
    ("layer", "hidden"),
    [
        (lambda: Block(name="b"), True),
        (lambda: Block(batch_norm=False, name="b"), False),
        (lambda: L.TimeDistributed(chain(L.Dense(3), OURS()), name="b"), True),
        (lambda: L.TimeDistributed(L.Dense(3), name="b"), False),
        (lambda: L.Bidirectional(L.LSTM(3), name="b"), False),
    ],
)
def test_layers_with_something_inside(layer, hidden):
    assert found(chain(layer(), L.Dense(2), shape=(5, 4))) == [("not_visible", "b")] * hidden


# Nested models and names.


def test_nested_models_are_looked_through():
    """A bias and its batch norm on two sides of a wall, two walls deep."""
    inner = chain(L.Dense(3, name="z", use_bias=True))
    inner.name = "inner"
    outer = keras.Sequential([keras.Input((4,)), inner], name="outer")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, OURS(name="bn")(outer(inputs)))
    (finding,) = lint(model)
    assert finding.layer == "outer/inner/z"
    assert '"bn"' in finding.message


def test_a_nested_model_that_is_called_twice():
    """Its own last bias goes into batch norm once only."""
    inner = chain(L.Dense(4, name="a"), OURS(), L.Dense(4, name="b"))
    inner.name = "inner"
    inputs = keras.Input((4,))
    once = inner(inputs)
    model = keras.Model(inputs, L.Add()([OURS()(once), inner(once)]))
    assert found(model) == [("useless_bias", "inner/a")]


def test_a_nested_model_with_several_inputs_and_outputs():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    za, zb = L.Dense(3, name="za")(a), L.Dense(3, name="zb")(b)
    inner = keras.Model({"a": a, "b": b}, {"x": za, "y": zb}, name="inner")
    p, q = keras.Input((4,)), keras.Input((4,))
    out = inner({"b": L.Dense(4, name="p")(p), "a": OURS()(L.Dense(4, name="q")(q))})
    model = keras.Model([p, q], L.Concatenate()([OURS()(out["y"]), out["x"]]))
    assert sorted(found(model)) == [("useless_bias", "inner/zb"), ("useless_bias", "q")]


# The function itself.


def test_the_text_of_a_finding():
    finding = lint(chain(L.Dense(3, name="z"), OURS(name="bn")))[0]
    assert str(finding) == (
        '[useless_bias] z: its bias is cancelled by the mean of "bn": its gradient is 0, and the β '
        "there replaces it (course 2.4). Fix: use_bias=False."
    )
    assert Finding("rule", "layer", "why.", "how.") == Finding("rule", "layer", "why.", "how.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model": "m.keras"}, "lint: model must be a Keras model. Received: str."),
        ({"steps": 0}, "lint: steps must be a whole number >= 1. Received: 0."),
        ({"steps": 2.5}, "steps must be a whole number >= 1. Received: 2.5."),
        ({"steps": True}, "Received: True."),
        ({"y": ["cat", "dog"]}, "lint: y must hold the labels as an array of numbers. Received: "),
        ({"y": 3}, "Received: int of dtype int64, shape ()."),
        ({"y": []}, "shape (0,)."),
        ({"model": two_heads(), "y": np.ones(3)}, "labels of each of the 2 outputs"),
    ],
)
def test_inadmissible_arguments(arguments, said):
    with pytest.raises(InputError, match=re.escape(said)):
        lint(**{"model": chain(L.Dense(1)), **arguments})


def test_looking_changes_nothing():
    model = compiled("mse", L.Dense(3), OURS())
    config, weights = model.get_config(), model.get_weights()
    lint(model, steps=10)
    assert model.get_config() == config
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


# No false alarm on well-built models.


def conv_block(filters):
    return [L.Conv2D(filters, 3, use_bias=False), OURS(), L.ReLU(), L.MaxPooling2D()]


def residual():
    x = inputs = keras.Input((8, 8, 4))
    for _ in range(2):
        y = OURS()(L.Conv2D(4, 3, padding="same", use_bias=False)(x))
        y = OURS()(L.Conv2D(4, 3, padding="same", use_bias=False)(L.ReLU()(y)))
        x = L.ReLU()(L.Add()([x, y]))
    return keras.Model(inputs, SoftmaxHead(3)(L.GlobalAveragePooling2D()(x)))


WELL_BUILT = {
    "mlp": ("sparse_categorical_crossentropy", lambda: mlp((4,), 3, dropout=0.2)),
    "mlp after": (
        "sparse_categorical_crossentropy",
        lambda: mlp((4,), 3, layers=3, dropout=0.2, batch_norm="after_activation"),
    ),
    "mlp without": ("sparse_categorical_crossentropy", lambda: mlp((4,), 3, batch_norm="none")),
    "plain": (
        "categorical_crossentropy",
        lambda: chain(L.Dense(8, activation="relu"), L.Dense(3, activation="softmax")),
    ),
    "convnet": (
        "sparse_categorical_crossentropy",
        lambda: chain(
            *conv_block(4),
            *conv_block(8),
            L.Flatten(),
            L.Dropout(0.5),
            SoftmaxHead(3),
            shape=(16, 16, 3),
        ),
    ),
    "residual": ("sparse_categorical_crossentropy", residual),
    "lstm": (
        "binary_crossentropy",
        lambda: chain(L.Embedding(20, 4), L.LSTM(8), L.Dense(1, activation="sigmoid"), shape=(6,)),
    ),
    "tagging": (
        SPARSE(from_logits=True),
        lambda: chain(
            L.Embedding(20, 4, mask_zero=True),
            L.LSTM(8, return_sequences=True),
            L.TimeDistributed(L.Dense(5)),
            shape=(6,),
        ),
    ),
    "multi-label": ("binary_crossentropy", lambda: chain(L.Dense(5, activation="sigmoid"))),
    "regression": ("mse", lambda: chain(L.Dense(8, activation="relu"), L.Dense(1))),
    "autoencoder": (
        "binary_crossentropy",
        lambda: chain(
            L.Dense(2, use_bias=False), OURS(), L.ReLU(), L.Dense(4, activation="sigmoid")
        ),
    ),
    "logits": (SPARSE(from_logits=True), lambda: chain(L.Dense(8), L.ReLU(), L.Dense(3))),
    "segmentation": (
        "sparse_categorical_crossentropy",
        lambda: chain(
            *conv_block(4)[:3], L.Conv2DTranspose(3, 3, activation="softmax"), shape=(8, 8, 3)
        ),
    ),
}


@pytest.mark.parametrize(("loss", "build"), WELL_BUILT.values(), ids=WELL_BUILT)
def test_no_false_alarm(loss, build):
    model = build()
    model.compile("sgd", loss)
    assert found(model, steps=100) == []


# Keras's own applications.

# The input size, the biases to report, and the batch norms too slow for 1000 steps (momentum
# 0.999 in MobileNetV2: 0.999**1000 = 0.37). DenseNet121 has branches, EfficientNetB0 gates,
# Xception separable convolutions, and InceptionV3 batch norms without gamma.
APPLICATIONS = {
    "MobileNetV2": (32, 0, 52),
    "ResNet50": (32, 53, 0),
    "DenseNet121": (32, 0, 0),
    "EfficientNetB0": (32, 0, 0),
    "Xception": (71, 0, 0),
    "InceptionV3": (75, 0, 0),
}


@functools.cache
def application(name, size):
    """One of Keras's models, in float64 and compiled."""
    keras.config.set_dtype_policy("float64")
    model = getattr(keras.applications, name)(weights=None, classes=5, input_shape=(size, size, 3))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("name", "size", "biases", "slow"), [(name, *row) for name, row in APPLICATIONS.items()]
)
def test_keras_applications(name, size, biases, slow):
    """ResNet50 carries a bias into each of its 53 batch norms; the others have none to report."""
    model = application(name, size)
    assert [rule for rule, _ in found(model, steps=10_000)] == ["useless_bias"] * biases
    findings = found(model, steps=1000)
    assert [rule for rule, _ in findings if rule != "useless_bias"] == ["slow_average"] * slow


def with_biases(model):
    """The same model, each convolution with a bias."""

    def clone(layer):
        config = layer.get_config()
        if "use_bias" in config:
            config["use_bias"] = True
        return type(layer).from_config(config)

    return keras.models.clone_model(model, clone_function=clone)


@pytest.mark.parametrize(
    ("name", "change"), [("ResNet50", lambda m: m), ("EfficientNetB0", with_biases)]
)
def test_the_biases_reported_in_applications_are_those_without_a_gradient(name, change):
    """Every one that is reported, and no other, in float64 on a random batch."""
    keras.config.set_dtype_policy("float64")
    model = change(application(name, 32))
    reported = {layer for rule, layer in found(model) if rule == "useless_bias"}
    relative = gradients(model)
    assert len(reported) >= 49
    assert max(relative[layer] for layer in reported) < 1e-9
    assert min(r for layer, r in relative.items() if layer not in reported) > 1e-7
