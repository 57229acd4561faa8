"""Batch renormalization is Algorithm 1 of its paper, and what Keras's layer does."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import processes
from tests.layers.test_batch_norm import TestBatchNorm as BatchNormContract
from tests.reference.normalization import batch_renorm_step
from tfcourse import BatchNorm, InputError, SoftmaxHead
from tfcourse.formulas.normalization import renorm_corrections
from tfcourse.models.fold import fold_batch_norm
from tfcourse.models.gradient_check import gradient_check
from tfcourse.models.recalibrate import recalibrate
from tfcourse.models.swap import swap

LIMITS = {"rmin": 0.6, "rmax": 1.5, "dmax": 0.4}
SETTINGS = {"renorm": True, "renorm_momentum": 0.7, "momentum": 0.8}


class TestRenormContract(BatchNormContract):
    arguments = {**SETTINGS, "renorm_clipping": LIMITS, "bias_correction": True}
    other_names = [
        *("moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev"),
        "moving_weight",
    ]


del BatchNormContract


@pytest.mark.parametrize("limits", [{}, LIMITS, {"rmax": 1.0, "rmin": 1.0, "dmax": 0.0}], ids=str)
@pytest.mark.parametrize("shape", [(8, 5), (2, 3, 3, 5), (1, 5)], ids=str)
def test_the_paper_s_algorithm(shape, limits, rng):
    """Ten steps: outputs, gradients, and all averages, those of test time included."""
    layer = BatchNorm(**SETTINGS, renorm_clipping=limits, dtype="float64")
    layer.build(shape)
    gamma, beta = layer.gamma, layer.beta
    gamma.assign(rng.uniform(0.5, 2, 5))
    beta.assign(rng.normal(size=5))
    renorm, moving = [np.zeros(5), np.ones(5)], [np.zeros(5), np.ones(5)]
    bounds = (limits.get("rmin", 0), limits.get("rmax", 1e9), limits.get("dmax", 1e9))
    outside = 0
    for _ in range(10):
        z, upstream = rng.normal(1, 2, shape), rng.normal(size=shape)
        expected, gradients, mean, stddev = batch_renorm_step(
            z, upstream, renorm, gamma.numpy(), beta.numpy(), 1e-3, bounds
        )
        outside += np.sum(stddev / renorm[1] > bounds[1])
        inputs = tf.constant(z)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        np.testing.assert_allclose(outputs, expected, rtol=1e-9, atol=1e-9)
        actual = tape.gradient(outputs, [inputs, gamma.value, beta.value], upstream)
        for one, two in zip(actual, gradients, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)
        renorm = [0.7 * a + 0.3 * b for a, b in zip(renorm, (mean, stddev), strict=True)]
        moving = [0.8 * a + 0.2 * b for a, b in zip(moving, (mean, stddev), strict=True)]
        for name, wanted in zip(("renorm_mean", "renorm_stddev"), renorm, strict=True):
            np.testing.assert_allclose(getattr(layer, name), wanted, rtol=1e-9)
        for name, wanted in zip(("moving_mean", "moving_stddev"), moving, strict=True):
            np.testing.assert_allclose(getattr(layer, name), wanted, rtol=1e-9)
        variance = np.maximum(moving[1] ** 2 - 1e-3, 0)
        np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-9)
    assert bool(outside) == (bool(limits) and shape != (1, 5))  # the limits are reached
    expected = (z - moving[0]) / np.sqrt(variance + 1e-3) * gamma.numpy() + beta.numpy()
    np.testing.assert_allclose(layer(z, training=False), expected, rtol=1e-9)


def test_the_corrections():
    """r and d by hand; σ counts as √ε at least; neither has a gradient."""
    mean, variance = tf.constant([3.0, 0.0]), tf.constant([4.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch([mean, variance])
        r, d = renorm_corrections(mean, variance, tf.constant([1.0, 1.0]), [4.0, 0.0], 1e-4)
    np.testing.assert_allclose(r, [2.000025 / 4, 1], rtol=1e-6)
    np.testing.assert_allclose(d, [0.5, -100], rtol=1e-6)
    assert tape.gradient([r, d], [mean, variance]) == [None, None]
    r, d = renorm_corrections(mean, variance, [1.0, 1.0], [4.0, 0.0], 1e-4, 0.75, 0.875, 0.25)
    np.testing.assert_allclose([r, d], [[0.75, 0.875], [0.25, -0.25]])


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"scale": False, "center": False}])
@pytest.mark.parametrize(
    ("shape", "axis", "policy"),
    [
        ((6, 4), -1, "float64"),
        ((5, 7, 4), 1, "float32"),
        ((5, 7, 4), -1, "mixed_float16"),
        ((64, 25, 64), 2, "float32"),  # where the fused kernel would be used
    ],
)
def test_keras_layer_with_the_same_weights(shape, axis, policy, options, rng):
    """Several steps and then inference, with and without a mask, compiled and not."""
    arguments = {"axis": axis, "dtype": policy, "renorm_clipping": LIMITS, **SETTINGS, **options}
    layers = [kind(**arguments) for kind in (BatchNorm, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.build(shape)
    layers[1].set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layers[1].weights])
    layers[0].set_weights(layers[1].get_weights())
    masks = [None, rng.random(shape[:-1]) < 0.6] if len(shape) == 3 and axis != 1 else [None]
    tolerance = {"float64": 1e-9, "float32": 1e-4}.get(policy, 5e-3)
    for mask in (*masks, *masks):
        for training in (True, False):
            x = rng.normal(1, 2, shape)
            call = {"training": training} | ({} if mask is None else {"mask": tf.constant(mask)})
            outputs = [layer(x, **call) for layer in layers]
            assert outputs[0].dtype == outputs[1].dtype
            np.testing.assert_allclose(*outputs, rtol=tolerance, atol=tolerance)
            for one, two in zip(*(layer.get_weights() for layer in layers), strict=True):
                np.testing.assert_allclose(one, two, rtol=max(tolerance, 1e-6))


def test_a_frozen_layer_follows_nothing(rng):
    layer = BatchNorm(renorm=True)
    layer.build((None, 3))
    layer.trainable = False
    before = layer.get_weights()
    layer(rng.normal(size=(8, 3)), training=True)
    for one, two in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def model_of(norm):
    layers = [keras.layers.Dense(5, use_bias=False), norm(renorm=True), keras.layers.ReLU()]
    model = keras.Sequential([keras.Input((4,)), *layers, SoftmaxHead(3)])
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    return model


@pytest.mark.parametrize("norm", [BatchNorm, keras.layers.BatchNormalization])
def test_models_of_it(norm, rng):
    """Swapped there and back, folded, and with exact statistics."""
    x, y = rng.normal(1, 2, (30, 4)).astype("float32"), np.arange(30) % 3
    model = model_of(norm)
    for _ in range(3):
        model.train_on_batch(x, y)
    to, back = ("keras", "tfcourse") if norm is BatchNorm else ("tfcourse", "keras")
    other = swap(model, to)
    assert type(other.layers[1]) is not norm and other.layers[1].renorm
    for one, two in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(other(x), model(x))
    np.testing.assert_array_equal(swap(other, back)(x), model(x))
    np.testing.assert_allclose(fold_batch_norm(model)(x), model(x), atol=1e-6)
    assert [layer.name for layer in fold_batch_norm(model).layers].count(model.layers[1].name) == 0
    recalibrate(model, x, verbose=False)
    z = model.layers[0](x).numpy().astype(float)
    np.testing.assert_allclose(model.layers[1].moving_mean, z.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.layers[1].moving_stddev ** 2, z.var(0) + 1e-3, rtol=1e-4)
    assert gradient_check(model, x, y).verdict == "pass"
    with pytest.raises(InputError, match="training must be False for batch renormalization"):
        gradient_check(model, x, y, training=True)


SYNCHRONIZED = """
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tfcourse import BatchNorm

x = np.random.default_rng(0).normal(3, 2, (8, 4)).astype("float32")
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    layer = BatchNorm(synchronized=True, renorm=True, renorm_momentum=0.5)
    layer.build((None, 4))
alone = BatchNorm(renorm=True, renorm_momentum=0.5)

@tf.function
def step():
    def replica():
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        return layer(tf.constant(x)[number * 4 : number * 4 + 4], training=True)

    return strategy.experimental_local_results(strategy.run(replica))

for _ in range(3):
    both, one = np.concatenate([part.numpy() for part in step()]), alone(x, training=True).numpy()
pairs = [(both, one), *zip(layer.get_weights(), alone.get_weights())]
print(max(abs(a - b).max() for a, b in pairs) < 1e-4)
"""


def test_two_replicas_equal_one():
    done = processes.run(["-c", SYNCHRONIZED])
    assert done.stdout.split() == ["True"], done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"renorm_momentum": 1.5}, "renorm_momentum must be a number in [0, 1]. Received: 1.5."),
        (
            {"renorm_momentum": "0.9"},
            "renorm_momentum must be a number in [0, 1]. Received: '0.9'.",
        ),
        ({"renorm_momentum": None}, "renorm_momentum must be a number in [0, 1]. Received: None."),
        (
            {"renorm_clipping": 2.0},
            'must be a dict of "rmin", "rmax" and "dmax", or None. Received: 2.0.',
        ),
        (
            {"renorm_clipping": {"rmax": "2" * 300}},
            f"rmax should be a number or None. Received: rmax='{'2' * 47}...",
        ),
        (
            {"renorm_clipping": {"rmax": 2, "max": 1}},
            'may have the keys "rmin", "rmax" and "dmax". Received invalid keys: [\'max\'].',
        ),
        (
            {"renorm_clipping": {"rmax": "2"}},
            "rmax should be a number or None. Received: rmax='2'.",
        ),
        (
            {"renorm_clipping": {"rmax": 1, "rmin": 2}},
            "rmax should be at least rmin, and not negative. Received: rmax=1, rmin=2.",
        ),
        ({"renorm_clipping": {"rmax": -1}}, "not negative. Received: rmax=-1, rmin=None."),
        ({"renorm_clipping": {"dmax": -1}}, "dmax should be non-negative. Received: dmax=-1."),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value),
)
def test_errors(arguments, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        BatchNorm(renorm=True, **arguments)
    BatchNorm(**arguments)  # of no meaning without renorm, as for Keras's layer
