"""A folded model has fewer layers and the same outputs; what is left is said, with the reason."""

import logging
import re

import keras
import numpy as np
import pytest

from tfcourse import BatchNorm, InputError
from tfcourse.models.fold import fold_batch_norm, fold_report
from tfcourse.models.saving import load_model

L = keras.layers
NORMS = {"tfcourse": BatchNorm, "keras": L.BatchNormalization}
BOTH = pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)

# A layer's class, its arguments, and the shape of an example.
LINEAR = {
    "dense": (L.Dense, {"units": 5}, (4,)),
    "dense on sequences": (L.Dense, {"units": 5}, (3, 4)),
    "conv 1d": (L.Conv1D, {"filters": 5, "kernel_size": 3, "padding": "same"}, (6, 4)),
    "causal": (L.Conv1D, {"filters": 5, "kernel_size": 3, "padding": "causal"}, (6, 4)),
    "conv 2d": (L.Conv2D, {"filters": 5, "kernel_size": 3, "strides": 2}, (7, 7, 4)),
    "groups": (L.Conv2D, {"filters": 6, "kernel_size": 3, "groups": 2}, (5, 5, 4)),
    "conv 3d": (L.Conv3D, {"filters": 5, "kernel_size": 2, "padding": "same"}, (3, 3, 3, 2)),
    "depthwise 1d": (L.DepthwiseConv1D, {"kernel_size": 3, "depth_multiplier": 2}, (6, 4)),
    "depthwise 2d": (
        L.DepthwiseConv2D,
        {"kernel_size": 3, "depth_multiplier": 3, "padding": "same"},
        (5, 5, 4),
    ),
    "separable 1d": (
        L.SeparableConv1D,
        {"filters": 5, "kernel_size": 3, "depth_multiplier": 2},
        (6, 4),
    ),
    "separable 2d": (L.SeparableConv2D, {"filters": 5, "kernel_size": 3}, (5, 5, 4)),
    "transposed 1d": (L.Conv1DTranspose, {"filters": 5, "kernel_size": 3, "strides": 2}, (6, 4)),
    "transposed 2d": (L.Conv2DTranspose, {"filters": 5, "kernel_size": 3}, (5, 5, 4)),
    "transposed 3d": (L.Conv3DTranspose, {"filters": 5, "kernel_size": 2}, (3, 3, 3, 4)),
}


def trained(model):
    """Random weights of every kind, as of a training."""
    rng = np.random.default_rng(5)
    for weight in model.weights:
        scale = (0.5, 2) if weight.name in ("gamma", "moving_variance") else (-1, 1)
        weight.assign(rng.uniform(*scale, weight.shape))
    return model


def sequential(*layers, shape=(4,)):
    return trained(keras.Sequential([keras.Input(shape), *layers]))


def functional(build, shape=(4,)):
    inputs = keras.Input(shape)
    return trained(keras.Model(inputs, build(inputs)))


def norms_in(model):
    return [a for a in model._flatten_layers() if isinstance(a, tuple(NORMS.values()))]


def fold(model, folded, left=0):
    """Folds, and checks outputs, number of layers, report, and that the model is untouched."""
    nodes = [len(layer._inbound_nodes) for layer in model._flatten_layers()]
    before = [w.numpy() for w in model.weights]
    report = fold_report(model)
    result = fold_batch_norm(model)
    assert (len(report.folded), len(report.left)) == (folded, left)
    assert len(norms_in(result)) == left
    assert [len(layer._inbound_nodes) for layer in model._flatten_layers()] == nodes
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    assert not {id(w) for w in model.weights} & {id(w) for w in result.weights}
    assert (type(result), result.name) == (type(model), model.name)
    x = [
        np.random.default_rng(2).normal(size=(3, *[d or 5 for d in t.shape[1:]]))
        for t in model.inputs
    ]
    x = x[0] if len(x) == 1 else x
    assert_close(result(x), model(x))
    return result


def assert_close(actual, expected):
    for a, b in zip(*map(keras.tree.flatten, (actual, expected)), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.abs(b).max())


def reason_of(model, name="bn"):
    return fold_report(model).left[name]


@BOTH
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("kind", LINEAR)
def test_every_linear_layer(kind, use_bias, norm):
    layer, arguments, shape = LINEAR[kind]
    model = sequential(layer(**arguments, use_bias=use_bias), norm(), L.ReLU(), shape=shape)
    result = fold(model, folded=1)
    assert [type(a) for a in result.layers] == [layer, L.ReLU]
    assert result.layers[0].name == model.layers[0].name


@BOTH
@pytest.mark.parametrize("scale", [True, False], ids=["scale", "no scale"])
@pytest.mark.parametrize("center", [True, False], ids=["center", "no center"])
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
def test_every_form_of_batch_norm(norm, center, scale, use_bias):
    fold(sequential(L.Dense(5, use_bias=use_bias), norm(center=center, scale=scale)), folded=1)


@pytest.mark.parametrize("arguments", [{"epsilon": 0.1}, {"axis": 1}, {"bias_correction": True}])
def test_its_arguments(arguments):
    fold(sequential(L.Dense(5), BatchNorm(**arguments)), folded=1)


@BOTH
@pytest.mark.parametrize(
    "layer", [L.Conv2D(5, 3), L.DepthwiseConv2D(3), L.Conv2DTranspose(5, 3)], ids=lambda a: a.name
)
def test_channels_first(layer, norm):
    """The weights are those with the channels last: not every CPU has a kernel for this order."""
    config = {**layer.get_config(), "data_format": "channels_first"}
    model = sequential(type(layer).from_config(config), norm(axis=1), shape=(4, 5, 5))
    last = sequential(type(layer).from_config(layer.get_config()), norm(), shape=(5, 5, 4))
    last.set_weights(model.get_weights())
    expected = fold(last, folded=1).get_weights()
    result = fold_batch_norm(model)
    assert [type(part) for part in result.layers] == [type(layer)]
    assert result.layers[0].data_format == "channels_first"
    for ours, theirs in zip(result.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_large_statistics():
    """The mean is far from 0, as without normalized inputs."""
    model = sequential(L.Dense(5), BatchNorm())
    model.layers[1].moving_mean.assign([100.0, -50, 3, 0, 1e3])
    model.layers[1].moving_variance.assign([1e4, 1e-4, 1, 10, 1e6])
    fold(model, folded=1)


def test_the_weights_in_float64():
    model = sequential(L.Dense(5), BatchNorm(epsilon=0.01))
    w, b, gamma, beta, mean, variance = (a.numpy().astype(np.float64) for a in model.weights)
    scale = gamma / np.sqrt(variance + 0.01)
    kernel, bias = fold_batch_norm(model).get_weights()
    np.testing.assert_allclose(kernel, w * scale, rtol=1e-7)
    np.testing.assert_allclose(bias, (b - mean) * scale + beta, rtol=1e-6, atol=1e-7)


def test_layer_after_layer():
    blocks = [part for n in (5, 6, 7) for part in (L.Dense(n), BatchNorm(), L.ReLU())]
    result = fold(sequential(*blocks, L.Dense(2)), folded=3)
    assert [type(a) for a in result.layers] == [L.Dense, L.ReLU] * 3 + [L.Dense]


def test_two_in_a_row():
    report = fold_report(model := sequential(L.Dense(5, name="d"), BatchNorm(), BatchNorm()))
    assert set(report.folded.values()) == {"d"}
    fold(model, folded=2)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    model = sequential(L.Dense(5), BatchNorm())
    x = np.random.default_rng(0).normal(size=(3, 4))
    result = fold_batch_norm(model)
    assert len(result.layers) == 1 and result(x).dtype == model(x).dtype
    np.testing.assert_allclose(
        np.asarray(result(x), np.float32), np.asarray(model(x), np.float32), atol=0.05
    )


def test_masks_pass_as_before():
    model = functional(
        lambda x: L.LSTM(2)(BatchNorm()(L.Dense(3)(L.Embedding(10, 4, mask_zero=True)(x)))),
        shape=(5,),
    )
    result = fold_batch_norm(model)
    x = np.array([[1, 2, 0, 0, 0], [3, 4, 5, 6, 0]])
    assert not norms_in(result)
    assert_close(result(x), model(x))


@BOTH
def test_a_residual_connection(norm):
    """The norm before the addition is folded; the one whose input goes round it is left."""

    def build(x):
        z = L.Dense(5, name="d")(x)
        a = norm(name="bn")(z)
        b = norm(name="after")(L.Dense(5)(a))
        return L.Add()([b, z])

    model = functional(build)
    assert reason_of(model) == 'the output of "d" is used elsewhere too'
    assert set(fold_report(model).folded) == {"after"}
    fold(model, folded=1, left=1)


CASES = {
    "activation inside": (
        lambda x: BatchNorm(name="bn")(L.Dense(5, activation="relu", name="d")(x)),
        '"d" before it has an activation',
    ),
    "activation between": (
        lambda x: BatchNorm(name="bn")(L.ReLU(name="r")(L.Dense(5)(x))),
        'it follows "r" (ReLU), not a linear layer',
    ),
    "operation between": (
        lambda x: BatchNorm(name="bn")(keras.ops.sin(L.Dense(5)(x))),
        'it follows "sin" (Sin), not a linear layer',
    ),
    "the input": (
        lambda x: L.Dense(5)(BatchNorm(name="bn")(x)),
        re.compile(r'it follows "\S+" \(InputLayer\), not a linear layer'),
    ),
    "an output": (
        lambda x: [z := L.Dense(5, name="d")(x), BatchNorm(name="bn")(z)],
        'the output of "d" is used elsewhere too',
    ),
    "two norms": (
        lambda x: [BatchNorm(name="bn")(z := L.Dense(5, name="d")(x)), L.ReLU()(z)],
        'the output of "d" is used elsewhere too',
    ),
    "a shared layer": (
        lambda x: [BatchNorm(name="bn")((d := L.Dense(4, name="d"))(x)), d(x + 1)],
        '"d" before it is called 2 times',
    ),
    "a shared norm": (
        lambda x: [(bn := BatchNorm(name="bn"))(L.Dense(4)(x)), bn(L.Dense(4)(x))],
        "it is called 2 times",
    ),
    "in training mode": (
        lambda x: BatchNorm(name="bn")(L.Dense(5)(x), training=True),
        "it is called with training=True",
    ),
    "another axis": (
        lambda x: BatchNorm(name="bn", axis=1)(L.Dense(5, name="d")(L.Reshape((2, 2))(x))),
        'its axis 1 is not that of the units or filters of "d"',
    ),
    "another precision": (
        lambda x: BatchNorm(name="bn", dtype="float64")(L.Dense(5, name="d")(x)),
        '"d" before it computes in float32',
    ),
    "inside a layer": (
        lambda x: L.TimeDistributed(BatchNorm(name="n"), name="bn")(L.Reshape((2, 2))(x)),
        'it is inside "bn" (TimeDistributed)',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_left(case):
    build, reason = CASES[case]
    model = functional(build)
    ((name, said),) = fold_report(model).left.items()
    assert name == ("bn/n" if case == "inside a layer" else "bn")
    assert re.fullmatch(reason, said) if isinstance(reason, re.Pattern) else said == reason
    if case != "in training mode":
        fold(model, folded=0, left=1)


def test_a_mask_of_its_own():
    inputs, mask = keras.Input((3, 4)), keras.Input((3,), dtype="bool")
    model = keras.Model([inputs, mask], BatchNorm(name="bn")(L.Dense(5)(inputs), mask=mask))
    assert reason_of(model) == "it is called with a mask of its own"


def test_a_subclass_may_compute_something_else():
    class Other(L.BatchNormalization):
        pass

    model = sequential(L.Dense(5), Other(name="bn"))
    assert reason_of(model) == "its class Other may compute something else"
    fold(model, folded=0, left=1)


def test_lora_weights():
    model = sequential(L.Dense(5, name="d"), BatchNorm(name="bn"))
    model.layers[0].enable_lora(2)
    assert reason_of(model) == '"d" before it is quantized or has LoRA weights'


@BOTH
def test_models_inside_a_model(norm):
    """Folded inside, and a norm after such a model is left."""
    inner = sequential(L.Dense(5), norm(name="n"), L.Dense(4))
    inner = keras.Sequential([keras.Input((4,)), *inner.layers], name="inner")
    deeper = keras.Model(a := keras.Input((4,)), norm(name="m")(L.Dense(4)(a)), name="deeper")
    model = functional(lambda x: norm(name="bn")(inner(deeper(inner(x)))))
    report = fold_report(model)
    assert set(report.folded) == {"inner/n", "deeper/m"}
    assert report.left == {"bn": 'it follows "inner" (Sequential), not a linear layer'}
    result = fold(model, folded=2, left=1)
    assert [type(a) for a in result.get_layer("inner").layers] == [L.Dense, L.Dense]


def test_several_inputs_and_outputs_keep_their_structure():
    inputs = {"a": keras.Input((4,), name="a"), "b": keras.Input((4,), name="b")}
    z = BatchNorm()(L.Dense(5)(inputs["a"] - inputs["b"]))
    model = trained(keras.Model(inputs, {"one": z, "two": L.ReLU()(z)}))
    result = fold_batch_norm(model)
    x = dict(zip("ab", np.random.default_rng(0).normal(size=(2, 3, 4)), strict=True))
    assert set(result(x)) == {"one", "two"}
    assert_close(result(x), model(x))
    assert not norms_in(result)


def test_other_layers_come_along():
    """A Lambda, which Keras does not clone, and Normalization, which computes beside weights."""
    normalization = L.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(3, 2, (20, 4)))
    layers = [L.Lambda(lambda x, by: by * x, arguments={"by": 3.0}), L.Dense(5), BatchNorm()]
    model = keras.Sequential([keras.Input((4,)), normalization, *layers])
    fold(model, folded=1)


def test_a_compiled_model_with_a_loss_of_its_own():
    model = sequential(L.Dense(5), BatchNorm())
    model.compile("adam", lambda y, a: keras.ops.mean((y - a) ** 2))
    result = fold(model, folded=1)
    assert model.compiled and not result.compiled


def test_the_result_can_be_saved(tmp_path):
    result = fold_batch_norm(sequential(L.Dense(5), BatchNorm(), L.Dense(3), BatchNorm()))
    result.save(tmp_path / "folded.keras")
    x = np.ones((2, 4))
    np.testing.assert_array_equal(load_model(tmp_path / "folded.keras")(x), result(x))


def test_folding_again_changes_nothing():
    fold(fold_batch_norm(sequential(L.Dense(5), BatchNorm())), folded=0)


def test_the_log(caplog):
    with caplog.at_level(logging.INFO, "tfcourse.models.fold"):
        fold_batch_norm(
            sequential(
                L.Dense(5, name="d"), BatchNorm(name="a"), L.ReLU(name="r"), BatchNorm(name="b")
            )
        )
    assert [record.message for record in caplog.records] == [
        'folded "a" into "d"',
        'left "b": it follows "r" (ReLU), not a linear layer',
    ]


class Subclassed(keras.Model):
    pass


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Subclassed(), "whose layers are known. Received: Subclassed."),
        (L.Dense(3), "whose layers are known. Received: Dense."),
        (
            keras.Sequential([L.Dense(3)], name="s"),
            'model "s" must be built. Give it a keras.Input',
        ),
    ],
    ids=["subclassed", "layer", "not built"],
)
@pytest.mark.parametrize("function", [fold_batch_norm, fold_report])
def test_inadmissible_models(function, model, said):
    with pytest.raises(InputError, match=re.escape(said)):
        function(model)
