"""`BatchNorm` against Keras's BatchNormalization, over the whole matrix of uses."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference.normalization import batch_norm
from tfcourse import BatchNorm
from tfcourse.formulas.fused_normalization import use_fused

# Shape and axis; the last three are large enough for the fused kernel in training.
SMALL = [
    ((6, 4), -1),
    ((6, 4), 1),
    ((5, 7, 4), -1),
    ((5, 7, 4), 1),
    ((5, 7, 4), -2),
    ((3, 5, 6, 4), 3),
    ((3, 5, 6, 4), 1),
    ((3, 5, 6, 4), -3),
    ((2, 3, 4, 5, 4), -1),
    ((2, 3, 4, 5, 4), 2),
    ((1, 4), -1),
]
LARGE = [((1024, 100), -1), ((64, 25, 64), 2), ((16, 20, 20, 16), -1)]
# float32's tolerance, and how many digits the half types have left of it.
TOLERANCES = {"float32": 2e-4, "float64": 1e-9, "mixed_float16": 4e-3, "mixed_bfloat16": 3e-2}
OPTIONS = [{}, {"center": False}, {"scale": False}, {"center": False, "scale": False}]
MASKS = [None, "some", "none at all"]


def layers(axis, policy, **options):
    """Keras's layer and ours, with the same arguments."""
    rng = np.random.default_rng(1)
    both = []
    for layer_class in (keras.layers.BatchNormalization, BatchNorm):
        both.append(layer_class(axis=axis, momentum=0.9, dtype=policy, **options))
    return both, rng


def set_weights(both, shape, rng):
    for layer in both:
        layer.build(shape)
    weights = [rng.uniform(0.5, 1.5, w.shape) for w in both[0].weights]
    for layer in both:
        layer.set_weights(weights)


def mask_of(kind, shape, rng):
    if kind is None:
        return None
    return np.zeros(shape[:-1], bool) if kind == "none at all" else rng.random(shape[:-1]) < 0.6


def outcome(layer, x, upstream, training, mask):
    """Outputs, gradients of inputs and weights, and the weights after the call."""
    x = tf.cast(x, layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        arguments = {} if mask is None else {"mask": tf.constant(mask)}
        outputs = layer(x, training=training, **arguments)
    sources = [x, *layer.trainable_weights]
    upstream = tf.cast(upstream, outputs.dtype)
    gradients = tape.gradient(outputs, sources, output_gradients=upstream)
    return [outputs, *gradients, *(w.value for w in layer.weights)]


@pytest.mark.parametrize("policy", TOLERANCES)
@pytest.mark.parametrize(("shape", "axis"), SMALL + LARGE, ids=str)
def test_outputs_gradients_and_statistics_are_keras_s(shape, axis, policy):
    """Course 2.3 to 2.8, in every combination of training, mask and options.

    Which of γ and β there is has nothing to do with the dtype: each alone is tested in float64.
    """
    last = axis in (-1, len(shape) - 1)
    masks, all_options = (MASKS, OPTIONS) if (shape, axis) in SMALL else ([None], [OPTIONS[0]])
    if policy != "float64":
        all_options = [options for options in all_options if len(options) != 1]
    for training, kind, options in itertools.product([True, False], masks, all_options):
        if kind is not None and (len(shape) < 3 or not last):
            continue  # Keras's masks leave the last axis out, so the features must be there
        both, rng = layers(axis, policy, **options)
        set_weights(both, shape, rng)
        x, upstream = rng.normal(3, 2, shape), rng.normal(size=shape)
        mask = mask_of(kind, shape, rng)
        theirs, ours = (outcome(layer, x, upstream, training, mask) for layer in both)
        assert len(theirs) == len(ours)
        for a, b in zip(ours, theirs, strict=True):
            assert a.dtype == b.dtype
            scale = max(1.0, float(tf.reduce_max(tf.abs(tf.cast(b, tf.float64)))))
            difference = float(
                tf.reduce_max(tf.abs(tf.cast(a, tf.float64) - tf.cast(b, tf.float64)))
            )
            case = (training, kind, options, a.shape)
            # Keras adds 1e-7 to the number of unmasked values.
            assert difference <= scale * max(TOLERANCES[policy], 1e-6 * (kind is not None)), case


@pytest.mark.parametrize(("shape", "axis"), SMALL[:-1] + LARGE[1:], ids=str)
def test_second_derivatives_are_exact(shape, axis):
    """Against differences of Keras's first gradient in float64.

    Not against Keras's own second derivatives: it holds the mean inside the variance constant,
    which leaves the first gradient right and the second one wrong.
    """
    both, rng = layers(axis, "float64")
    set_weights(both, shape, rng)
    x, direction, upstream = (tf.constant(rng.normal(size=shape)) for _ in range(3))

    def gradient(layer, inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            cost = tf.reduce_sum(upstream * tf.tanh(layer(inputs, training=True)))
        return tape.gradient(cost, inputs)

    step = 1e-5 * direction
    expected = (gradient(both[0], x + step) - gradient(both[0], x - step)) / 2e-5

    for policy in ("float64", "float32"):
        ours = BatchNorm(axis=axis, dtype=policy)
        ours.build(shape)
        ours.set_weights(both[1].get_weights())
        upstream = tf.cast(upstream, policy)
        inputs, along = tf.cast(x, policy), tf.cast(direction, policy)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            product = tf.reduce_sum(gradient(ours, inputs) * along)
        second = tape.gradient(product, inputs)
        tolerance = 1e-6 if policy == "float64" else 1e-3
        np.testing.assert_allclose(
            second, expected, atol=tolerance * float(abs(expected).numpy().max())
        )


@pytest.mark.parametrize(("shape", "axis"), LARGE, ids=str)
def test_the_fused_kernel_is_the_formula(shape, axis):
    layer = BatchNorm(axis=axis)
    layer.build(shape)
    x = np.random.default_rng(0).normal(5, 3, shape)
    assert use_fused(tf.constant(x, tf.float32), axis, training=True), "or this tests nothing"
    rows = x.reshape(-1, shape[-1])
    mean, variance = rows.mean(0), rows.var(0)
    expected = batch_norm(x, epsilon=layer.epsilon)
    np.testing.assert_allclose(layer(x, training=True), expected, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-5)


def test_when_the_fused_kernel_is_used():
    def chosen(shape, axis=-1, training=True, dtype="float32", jit_compile=False):
        answer = []
        specification = tf.TensorSpec(shape, dtype)
        run = tf.function(jit_compile=jit_compile, autograph=False)(
            lambda z: answer.append(use_fused(z, axis, training))
        )
        run.get_concrete_function(specification)
        return answer[-1]

    assert chosen((1024, 100))
    assert not chosen((1024, 90))
    assert not chosen((1024, 100), training=False)
    assert chosen((1024, 400), training=False)
    assert chosen((None, 28, 28, 32)), "an unknown batch counts as 64"
    assert not chosen((None, 512))
    assert not chosen((1024, 100), axis=0)
    assert not chosen((1024, 100), dtype="float64")
    assert not chosen((1024, 100), jit_compile=True)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_large_mean_costs_no_digits_of_the_variance(jit_compile):
    x = np.random.default_rng(0).normal(1000, 0.1, (2048, 64)).astype("float32")
    layer = BatchNorm(momentum=0.0)
    layer.build(x.shape)
    outputs = tf.function(lambda z: layer(z, training=True), jit_compile=jit_compile)(x)
    assert np.isfinite(outputs).all()
    exact = x.astype("float64")
    np.testing.assert_allclose(layer.moving_variance, exact.var(0), rtol=1e-2)
    expected = batch_norm(exact)
    np.testing.assert_allclose(outputs, expected, atol=2e-2)


def test_an_empty_batch_gives_an_empty_output():
    both, _ = layers(-1, "float32")
    for layer in both:
        assert layer(np.zeros((0, 3), "float32"), training=False).shape == (0, 3)


def test_a_constant_feature_becomes_beta():
    layer = BatchNorm(beta_initializer=keras.initializers.Constant(0.5))
    outputs = layer(np.full((8, 3), 7.0, "float32"), training=True)
    np.testing.assert_array_equal(outputs, np.full((8, 3), 0.5))


@pytest.mark.parametrize("wrap", ["time distributed", "nested"])
def test_inside_other_layers(wrap):
    x = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")
    outputs = []
    for layer_class in (keras.layers.BatchNormalization, BatchNorm):
        layer = layer_class(momentum=0.9)
        outer = (
            keras.layers.TimeDistributed(layer)
            if wrap == "time distributed"
            else keras.Sequential([keras.Sequential([keras.Input((5, 3)), layer])])
        )
        outputs.append(outer(x, training=True))
    np.testing.assert_allclose(outputs[1], outputs[0], atol=1e-5)
