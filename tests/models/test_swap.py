"""A swapped model has other layers, the same weights and outputs, and trains on in the same way."""

import re

import keras
import numpy as np
import pytest

from tfcourse import Adam, BatchNorm, GradientDescent, InputError, Momentum, RMSprop, SoftmaxHead
from tfcourse.models import mlp
from tfcourse.models.recalibrate import recalibrate
from tfcourse.models.swap import swap

L = keras.layers
NORMS = {"tfcourse": BatchNorm, "keras": L.BatchNormalization}
DIRECTIONS = pytest.mark.parametrize(
    ("source", "to"), [("keras", "tfcourse"), ("tfcourse", "keras")]
)


def trained(model):
    rng = np.random.default_rng(5)
    for weight in model.weights:
        scale = (0.5, 2) if weight.name in ("gamma", "moving_variance") else (-1, 1)
        weight.assign(rng.uniform(*scale, weight.shape))
    return model


def sequential(*layers, shape=(4,)):
    return trained(keras.Sequential([keras.Input(shape), *layers]))


def kinds(model):
    return [type(layer) for layer in model._flatten_layers()]


def swapped(model, to, x=None):
    """Swaps, and checks outputs, weights and that the model is untouched."""
    nodes = [len(layer._inbound_nodes) for layer in model._flatten_layers()]
    before = model.get_weights()
    result = swap(model, to)
    assert (type(result), result.name) == (type(model), model.name)
    assert [len(layer._inbound_nodes) for layer in model._flatten_layers()] == nodes
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not {id(w) for w in model.weights} & {id(w) for w in result.weights}
    x = np.random.default_rng(2).normal(size=(3, *model.input_shape[1:])) if x is None else x
    for a, b in zip(*map(keras.tree.flatten, (result(x), model(x))), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
    return result


@DIRECTIONS
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"momentum": 0.7, "epsilon": 0.1, "name": "n"},
        {"center": False},
        {"scale": False},
        {"axis": 1},
        {"trainable": False},
        {"renorm": True, "renorm_clipping": {"rmax": 3.0, "dmax": 5.0}, "renorm_momentum": 0.8},
        {"gamma_regularizer": keras.regularizers.L2(0.1), "beta_constraint": "non_neg"},
        {"gamma_initializer": keras.initializers.Constant(3), "dtype": "float64"},
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else str(value),
)
def test_the_layer_and_its_configuration(source, to, arguments):
    model = sequential(L.Dense(5), NORMS[source](**arguments), L.ReLU())
    result = swapped(model, to)
    assert kinds(result) == [keras.Sequential, L.InputLayer, L.Dense, NORMS[to], L.ReLU]
    old, new = (m.layers[1].get_config() for m in (model, result))
    both = set(old) & set(new)
    assert {"momentum", "epsilon", "axis", "gamma_initializer", "trainable", "name"} <= both
    assert {key: old[key] for key in both} == {key: new[key] for key in both}
    assert [w.path for w in result.weights] == [w.path for w in model.weights]


@DIRECTIONS
def test_there_and_back(source, to):
    model = sequential(L.Conv2D(5, 3), NORMS[source](), L.Flatten(), L.Dense(3), shape=(5, 5, 2))
    back = swap(swap(model, to), source)
    assert kinds(back) == kinds(model)
    for one, two in zip(back.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    x = np.random.default_rng(0).normal(size=(3, 5, 5, 2))
    np.testing.assert_array_equal(back(x), model(x))


@DIRECTIONS
def test_nothing_to_swap(source, to):
    assert kinds(swapped(model := sequential(L.Dense(3), NORMS[to]()), to)) == kinds(model)


def test_bias_correction_ends_with_what_it_gave(rng):
    model = sequential(L.Dense(3), BatchNorm(bias_correction=True))
    recalibrate(model, rng.normal(size=(9, 4)), verbose=False)
    result = swapped(model, "keras")
    assert [w.name for w in result.layers[1].weights] == [w.name for w in model.layers[1].weights][
        :4
    ]
    assert kinds(swapped(model, "tfcourse")) == kinds(model)


@DIRECTIONS
def test_functional_nested_and_shared_layers(source, to):
    norm, shared = NORMS[source], NORMS[source]()
    inner = sequential(L.Dense(4), norm(name="n"))
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    deeper = keras.Model(c := keras.Input((4,)), shared(L.Dense(4)(c)), name="deeper")
    z = L.Add()([inner(a), inner(deeper(b)), shared(b)])
    model = trained(keras.Model({"a": a, "b": b}, {"one": z, "two": keras.ops.relu(z + 1)}))
    x = dict(zip("ab", np.random.default_rng(0).normal(size=(2, 3, 4)), strict=True))
    result = swapped(model, to, x)
    assert set(result(x)) == {"one", "two"}
    assert kinds(result).count(NORMS[to]) == kinds(model).count(norm) == 2
    assert norm not in kinds(result)


@DIRECTIONS
def test_inside_other_layers(source, to):
    """A layer alone, a Sequential and a functional model, each in TimeDistributed."""
    norm = NORMS[source]
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4), norm(axis=1, momentum=0.7)])
    z = keras.Input((4,))
    graph = keras.Model(z, L.Add()([norm()(z), z]), name="graph")
    model = sequential(*(L.TimeDistributed(part) for part in (norm(), inner, graph)), shape=(3, 4))
    result = swapped(model, to)
    assert kinds(result).count(NORMS[to]) == kinds(model).count(norm) == 3
    back = swap(result, source)
    assert [part.get_config() for part in back.layers] == [p.get_config() for p in model.layers]
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    np.testing.assert_array_equal(back(x), model(x))


def test_dropout_becomes_keras_own(rng):
    model = mlp((4,), 3, dropout=0.3)
    result = swap(trained(model), "keras")
    assert not any(kind.__module__.startswith("tfcourse") for kind in kinds(result))
    x = rng.normal(size=(20, 4))  # the same masks, too
    np.testing.assert_allclose(result(x, training=True), model(x, training=True), rtol=1e-5)


def test_other_layers_come_along(rng):
    """A Lambda, which Keras does not clone, and Normalization, which computes beside weights."""
    normalization = L.Normalization()
    normalization.adapt(rng.normal(3, 2, (20, 4)))
    lambda_layer = L.Lambda(lambda x, by: by * x, arguments={"by": 3.0})
    model = keras.Sequential([keras.Input((4,)), normalization, lambda_layer, BatchNorm()])
    swapped(model, "keras")


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16", "float64"])
@pytest.mark.parametrize("arguments", [{}, {"use_bias": False}, {"logits": True}], ids=str)
def test_a_softmax_head_becomes_a_dense_layer(arguments, policy):
    keras.config.set_dtype_policy(policy)
    model = sequential(SoftmaxHead(3, name="head", kernel_regularizer="l2", **arguments))
    # Of halves: float16 and bfloat16 hold them, so that only the rounding of sums could differ.
    model.set_weights([np.round(2 * w) / 2 for w in model.get_weights()])
    result = swapped(model, "keras", np.round(4 * np.random.default_rng(0).normal(size=(5, 4))) / 4)
    (dense,) = result.layers
    assert type(dense) is L.Dense and dense.name == "head"
    assert dense.activation.__name__ == ("linear" if "logits" in arguments else "softmax")
    assert isinstance(dense.kernel_regularizer, keras.regularizers.L2)


def test_no_tfcourse_is_left(tmp_path):
    """Whoever has only Keras loads it."""
    swap(trained(mlp((4,), 3)), "keras").save(tmp_path / "plain.keras")
    loaded = keras.saving.load_model(tmp_path / "plain.keras")
    assert not any(kind.__module__.startswith("tfcourse") for kind in kinds(loaded))


def data(rng):
    return rng.normal(size=(40, 4)), rng.integers(0, 3, 40)


def loss(y, a):
    return keras.losses.sparse_categorical_crossentropy(y, a)


@DIRECTIONS
def test_training_goes_on_in_the_same_way(source, to, rng):
    """Also with Adam's moments and step number, and a learning rate changed on the way."""
    norm = NORMS[source](momentum=0.8)
    model = sequential(L.Dense(5, use_bias=False), norm, L.ReLU(), L.Dense(3, "softmax"))
    metrics = [keras.metrics.SparseCategoricalAccuracy(name="right")]
    # To Keras our optimizer is exchanged for one without state: see below.
    optimizer = Adam(0.01) if to == "tfcourse" else keras.optimizers.Adam(0.01)
    model.compile(optimizer, loss, metrics=metrics, run_eagerly=True)
    x, y = data(rng)
    model.fit(x, y, verbose=0, shuffle=False)
    model.optimizer.learning_rate = 0.003
    result = swap(model, to)
    assert result.optimizer is not model.optimizer and result.run_eagerly
    before = model.get_weights()
    histories = [m.fit(x, y, epochs=2, verbose=0, shuffle=False).history for m in (result, model)]
    for name in ("loss", "right"):
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-5)
    for one, two in zip(result.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
    assert not np.array_equal(before[0], model.get_weights()[0])


K = keras.optimizers
COMMON = {"clipnorm": 1.5, "use_ema": True, "weight_decay": 0.5}


@pytest.mark.parametrize(
    ("ours", "keras_own"),
    [
        (GradientDescent(0.5, **COMMON), K.SGD(0.5, **COMMON)),
        (Adam(0.25, 0.8, 0.9, 1e-4, **COMMON), K.Adam(0.25, 0.8, 0.9, 1e-4, **COMMON)),
        (RMSprop(0.25, 0.8, 2**-10, **COMMON), K.RMSprop(0.25, 0.8, epsilon=2**-20, **COMMON)),
        (
            Momentum(0.5, 0.75, **COMMON),
            K.SGD(0.125, 0.75, clipnorm=1.5, use_ema=True, weight_decay=2.0),
        ),
        (K.LossScaleOptimizer(Adam(0.25)), K.LossScaleOptimizer(K.Adam(0.25, epsilon=1e-8))),
        (Momentum(K.schedules.ExponentialDecay(0.1, 9, 0.5)), None),
        (K.MultiOptimizer(K.OptimizerMap(Adam())), None),
    ],
    ids=["descent", "Adam", "RMSprop", "momentum", "scaled", "schedule", "several"],
)
def test_keras_own_optimizer_in_place_of_ours(ours, keras_own):
    """One of the same hyperparameters, or none: then the model is not compiled."""
    model = sequential(BatchNorm(), L.Dense(3))
    model.compile(ours, "mse")
    result = swap(model, "keras")
    assert result.compiled == (keras_own is not None)
    if keras_own is not None:
        assert type(result.optimizer) is type(keras_own)
        configs = [part.get_config() for part in (result.optimizer, keras_own)]
        names = [config.pop("name") for config in configs]
        assert configs[0].get("inner_optimizer") or configs[0] == pytest.approx(configs[1])
        assert names[0] == ours.name
        assert int(result.optimizer.iterations) == 0


@pytest.mark.parametrize(
    ("ours", "tolerance"),
    [(GradientDescent(0.1), 1e-6), (Momentum(0.1), 1e-6), (Adam(), 1e-4), (RMSprop(), 1e-4)],
)
def test_its_steps_are_those_of_ours(ours, tolerance, rng):
    x, y = data(rng)
    model = sequential(L.Dense(3, "softmax"))
    model.compile(ours, "sparse_categorical_crossentropy", run_eagerly=True)
    result = swap(model, "keras")
    before = model.get_weights()[0]
    for _ in range(5):
        for m in (model, result):
            m.train_on_batch(x, y)
    change = np.abs(model.get_weights()[0] - before).max()
    difference = np.abs(model.get_weights()[0] - result.get_weights()[0]).max()
    assert difference <= tolerance * change


@pytest.mark.parametrize(
    "given",
    [
        "sparse_categorical_crossentropy",
        keras.losses.SparseCategoricalCrossentropy(),
        loss,
        lambda y, a: loss(y, a),
    ],
    ids=["name", "object", "function", "lambda"],
)
def test_any_loss(given, rng):
    model = sequential(BatchNorm(), SoftmaxHead(3))
    model.compile("adam", given, run_eagerly=True)
    x, y = data(rng)
    expected = model.evaluate(x, y, verbose=0)
    assert swap(model, "keras").evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-6)


def test_several_losses_and_metrics(rng):
    inputs = keras.Input((4,))
    a = L.Dense(1, name="a")(norm := BatchNorm()(inputs))
    model = keras.Model(inputs, {"a": a, "b": L.Dense(1, name="b")(norm)})
    weights, metrics = {"a": 2.0, "b": 1.0}, {"a": ["mae"], "b": [keras.metrics.MeanSquaredError()]}
    model.compile("sgd", {"a": "mse", "b": "mae"}, weights, metrics, run_eagerly=True)
    x, y = rng.normal(size=(8, 4)), rng.normal(size=(8, 1))
    y = {"a": y, "b": -y}
    expected = model.evaluate(x, y, verbose=0, return_dict=True)
    actual = swap(model, "keras").evaluate(x, y, verbose=0, return_dict=True)
    assert actual == pytest.approx(expected, rel=1e-5)
    assert len(actual) == 5


def test_a_model_that_is_not_compiled():
    assert not swap(sequential(BatchNorm()), "keras").compiled


class Subclassed(keras.Model):
    pass


class Block(L.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = BatchNorm(name="inside")

    def build(self, shape):
        self.norm.build(shape)

    def call(self, x):
        return self.norm(x)


class Other(L.BatchNormalization):
    pass


def shared_inside():
    norm = BatchNorm(name="shared")
    return sequential(L.TimeDistributed(norm), L.TimeDistributed(norm), shape=(3, 4))


@pytest.mark.parametrize(
    ("model", "to", "said"),
    [
        (
            lambda: sequential(BatchNorm()),
            "kears",
            'swap: to must be one of "tfcourse", "keras". Received: \'kears\'. Did you mean',
        ),
        (Subclassed, "keras", "model must be a Sequential or functional Keras model"),
        (
            lambda: sequential(Block()),
            "keras",
            '"inside" (BatchNorm) cannot be exchanged, because it is inside another layer.',
        ),
        (shared_inside, "keras", 'swap: "shared" is inside several layers of model "sequential'),
        (
            lambda: sequential(Other(name="o")),
            "tfcourse",
            '"o" (Other) cannot be exchanged, because it is a subclass.',
        ),
    ],
    ids=["to", "subclassed", "block", "shared", "subclass"],
)
def test_what_cannot_be_swapped(model, to, said):
    with pytest.raises(InputError, match=re.escape(said)):
        swap(model(), to)


@pytest.mark.parametrize(
    ("layer", "to"),
    [
        (Block, "tfcourse"),
        (Other, "keras"),
        (lambda: L.BatchNormalization(renorm=True), "keras"),
    ],
    ids=["block", "subclass", "renorm"],
)
def test_what_is_of_the_wanted_kind_stays(layer, to):
    assert kinds(swapped(model := sequential(layer()), to)) == kinds(model)
