"""`BatchNorm` with virtual batches: Hoffer et al. 2017 in NumPy, and its place beside the rest."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.layers.test_batch_norm import TestBatchNorm as BatchNormContract
from tests.reference.normalization import ghost_batch_norm_step, ghost_batches
from tfcourse import BatchNorm, SoftmaxHead, fit, load_model
from tfcourse.formulas.ghost_normalization import virtual_batches
from tfcourse.models.fold import fold_batch_norm
from tfcourse.models.gradient_check import gradient_check
from tfcourse.models.recalibrate import recalibrate
from tfcourse.models.saving import save_model
from tfcourse.models.swap import swap


class TestGhostContract(BatchNormContract):
    # Batches of 6: three of two.
    arguments = {"virtual_batch_size": 2, "bias_correction": True, "momentum": 0.8}
    other_names = ["moving_mean", "moving_variance", "moving_weight"]


del BatchNormContract


@pytest.mark.parametrize("m", [1, 5, 8, 9, 70])
@pytest.mark.parametrize("size", [1, 2, 4, 32])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_virtual_batches(m, size, jit_compile):
    """In order, none shorter than ``size`` unless m is; with m known and unknown."""
    z = np.arange(m * 3, dtype="float32").reshape(m, 3)
    expected = [z[rows] for rows in ghost_batches(m, size)]
    assert min(map(len, expected)) >= min(size, m)
    unknown = tf.function(
        lambda z: virtual_batches(z, size),
        input_signature=[tf.TensorSpec([None, 3])],
        jit_compile=jit_compile,
    )
    for parts in (virtual_batches(tf.constant(z), size), unknown(z)):
        actual = [batch for part in parts for batch in part.numpy()]
        assert len(actual) == len(expected)
        for one, two in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(one, two)
    assert len(virtual_batches(tf.constant(z), size)) == 1 + bool(m % max(m // size, 1))


@pytest.mark.parametrize("size", [2, 3, 8])
@pytest.mark.parametrize(
    ("shape", "axis", "masked"),
    [
        *(((8, 5), -1, False), ((7, 4, 5), -1, False), ((7, 5, 4), 1, False)),
        *(((6, 3, 2, 5), 3, False), ((7, 4, 5), -1, True), ((6, 3, 2, 5), 3, True)),
    ],
    ids=str,
)
def test_the_reference(shape, axis, size, masked, rng):
    """Outputs, gradients and moving averages over five steps, in float64."""
    layer = BatchNorm(axis=axis, momentum=0.8, dtype="float64", virtual_batch_size=size)
    layer.build(shape)
    layer.gamma.assign(rng.uniform(0.5, 2, 5))
    layer.beta.assign(rng.normal(size=5))
    moving = [np.zeros(5), np.ones(5)]
    for _ in range(5):
        z, upstream = rng.normal(1, 2, shape), rng.normal(size=shape)
        mask = rng.random(shape[:-1]) < 0.6 if masked else None
        if masked:
            mask[:3] = False  # a virtual batch without a position that counts
        expected, gradients, mean, variance = ghost_batch_norm_step(
            np.moveaxis(z, axis, -1),
            np.moveaxis(upstream, axis, -1),
            size,
            layer.gamma.numpy(),
            layer.beta.numpy(),
            mask=mask,
        )
        inputs = tf.constant(z)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True, mask=mask)
        np.testing.assert_allclose(outputs, np.moveaxis(expected, -1, axis), rtol=1e-9, atol=1e-9)
        sources = [inputs, layer.gamma.value, layer.beta.value]
        wanted = [np.moveaxis(gradients[0], -1, axis), *gradients[1:]]
        for one, two in zip(tape.gradient(outputs, sources, upstream), wanted, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-9)
        moving = [0.8 * a + 0.2 * b for a, b in zip(moving, (mean, variance), strict=True)]
        np.testing.assert_allclose(layer.moving_mean, moving[0], rtol=1e-9)
        np.testing.assert_allclose(layer.moving_variance, moving[1], rtol=1e-9)
    shown = [-1 if a == axis % len(shape) else 1 for a in range(len(shape))]
    expected = (z - moving[0].reshape(shown)) / np.sqrt(moving[1].reshape(shown) + 1e-3)
    expected = expected * layer.gamma.numpy().reshape(shown) + layer.beta.numpy().reshape(shown)
    np.testing.assert_allclose(layer(z, training=False), expected, rtol=1e-9)


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
@pytest.mark.parametrize("shape", [(64, 30, 64), (8, 5)])
def test_one_virtual_batch_is_the_layer_without(shape, options, rng):
    """Also where that one uses the fused kernel."""
    z, weights = rng.normal(1, 2, (2, *shape)).astype("float32")
    results = []
    for size in (None, shape[0]):
        layer = BatchNorm(virtual_batch_size=size, **options)
        layer.build(shape)
        inputs = tf.constant(z)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        results.append([outputs, tape.gradient(outputs, inputs, weights), *layer.get_weights()])
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_batches_of_unknown_and_changing_length(jit_compile, rng):
    """One trace for batches that 3 divides, that it does not, and smaller ones."""
    compiled, eager = (BatchNorm(virtual_batch_size=3) for _ in range(2))
    for layer in (compiled, eager):
        layer.build((None, 4))
    call = tf.function(
        lambda z: compiled(z, training=True),
        input_signature=[tf.TensorSpec([None, 4])],
        jit_compile=jit_compile,
    )
    for m in (6, 7, 8, 2, 12):
        z = rng.normal(1, 2, (m, 4)).astype("float32")
        np.testing.assert_allclose(call(z), eager(z, training=True), rtol=1e-4, atol=1e-5)
    assert call.experimental_get_tracing_count() == 1
    for one, two in zip(compiled.get_weights(), eager.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5)


def test_smaller_virtual_batches_are_noisier(rng):
    """Course 2.7: the deviation of a virtual batch's mean is σ/√size, whatever the batch is."""
    z = rng.normal(size=(512, 200))
    for size in (4, 64):
        layer = BatchNorm(virtual_batch_size=size, dtype="float64", epsilon=1e-9)
        outputs = layer(z, training=True).numpy()
        shift = (z - outputs * z.std(0)).reshape(-1, size, 200).mean(1)
        assert shift.std() * np.sqrt(size) == pytest.approx(1, abs=0.1)


def model_of(size=2):
    norm = BatchNorm(virtual_batch_size=size)
    stack = [keras.layers.Dense(5, use_bias=False), norm, keras.layers.ReLU(), SoftmaxHead(3)]
    model = keras.Sequential([keras.Input((4,)), *stack])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def data(rng):
    return rng.normal(1, 2, (30, 4)).astype("float32"), np.arange(30) % 3


def test_models_of_it(data, tmp_path):
    """Swapped, saved, folded, with exact statistics, and its gradient."""
    x, y = data
    model = model_of()
    model.fit(x, y, batch_size=10, epochs=2, verbose=0)
    said = r'swap: Keras has no virtual_batch_size. The copy of "batch_norm.*" predicts as it does'
    with pytest.warns(UserWarning, match=said):
        other = swap(model, to="keras")
    np.testing.assert_array_equal(other(x), model(x))
    back = swap(other)
    assert back.layers[1].virtual_batch_size is None
    np.testing.assert_array_equal(back(x), model(x))
    np.testing.assert_allclose(fold_batch_norm(model)(x), model(x), atol=1e-6)
    # Without a warning: nothing is lost to tfcourse.
    save_model(model, tmp_path / "model.keras")
    plain = keras.models.load_model(tmp_path / "model.keras")
    assert type(plain.layers[1]) is keras.layers.BatchNormalization
    np.testing.assert_array_equal(plain(x), model(x))
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.layers[1].virtual_batch_size == 2
    np.testing.assert_array_equal(loaded(x, training=True), model(x, training=True))
    recalibrate(model, x, verbose=False)
    z = model.layers[0](x).numpy().astype(float)
    np.testing.assert_allclose(model.layers[1].moving_mean, z.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.layers[1].moving_variance, z.var(0), rtol=1e-4)
    assert gradient_check(model, x, y, training=True).verdict == "pass"


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_compiled_fit_is_kerass(data, jit_compile):
    """Batches of 8, 8, 8 and 6, of which 3 divides one."""
    x, y = data
    one, two = model_of(3), model_of(3)
    two.set_weights(one.get_weights())
    one.run_eagerly = True
    one.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    fit(two, x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, jit_compile=jit_compile)
    for wanted, actual in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-5)


def test_without_it_the_configuration_is_that_of_earlier_versions():
    """A search compares the hash of its models' configuration with that on record."""
    assert "virtual_batch_size" not in BatchNorm().get_config()
    assert BatchNorm(virtual_batch_size=np.int64(4)).get_config()["virtual_batch_size"] == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"virtual_batch_size": 0}, "must be a whole number >= 1, or None. Received: 0."),
        ({"virtual_batch_size": 2.5}, "Received: 2.5."),
        ({"virtual_batch_size": True}, "Received: True."),
        ({"virtual_batch_size": "32"}, "Received: '32'."),
        ({"virtual_batch_size": 2, "renorm": True}, "virtual_batch_size excludes renorm"),
        ({"virtual_batch_size": 2, "synchronized": True}, "excludes synchronized"),
        ({"virtual_batch_size": 1}, "=1 leaves one value a feature, which normalizes to 0."),
        ({"virtual_batch_size": 2, "axis": 0}, "needs the examples on the first axis"),
    ],
    ids=str,
)
def test_errors(arguments, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        BatchNorm(**arguments).build((4, 3))
