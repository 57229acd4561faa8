import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.contracts.layer_contract import LayerContract
from tests.reference import averages
from tests.reference import normalization as reference
from tfcourse import BatchNorm

SHAPES = {"vector": (8, 5), "sequence": (6, 4, 5), "image": (4, 3, 2, 5)}


class TestBatchNorm(LayerContract):
    layer_class = BatchNorm
    arguments = {
        "momentum": 0.8,
        "epsilon": 1e-2,
        "beta_initializer": keras.initializers.Constant(0.5),
        "gamma_initializer": keras.initializers.RandomUniform(0.5, 1.5, seed=1),
        "moving_mean_initializer": keras.initializers.Constant(0.1),
        "moving_variance_initializer": keras.initializers.Constant(2.0),
        "beta_regularizer": keras.regularizers.L1(0.1),
        "gamma_regularizer": keras.regularizers.L2(0.1),
        "beta_constraint": keras.constraints.MaxNorm(9),
        "gamma_constraint": keras.constraints.NonNeg(),
    }
    trainable_names = ["gamma", "beta"]
    other_names = ["moving_mean", "moving_variance"]
    output_dtypes = {
        "float32": "float32",
        "float64": "float64",
        "mixed_float16": "float16",
        "mixed_bfloat16": "bfloat16",
    }

    def call_arguments(self, training):
        return {"training": training}


class TestCorrectedBatchNorm(TestBatchNorm):
    arguments = {"bias_correction": True, "momentum": 0.8}
    other_names = ["moving_mean", "moving_variance", "moving_weight"]


def pair(shape, dtype="float32", **arguments):
    """Our layer and Keras's with the same arguments and the same random weights."""
    arguments = {"momentum": 0.9, "dtype": dtype, **arguments}
    ours, theirs = BatchNorm(**arguments), keras.layers.BatchNormalization(**arguments)
    rng = np.random.default_rng(3)
    for layer in (ours, theirs):
        layer.build((None, *shape[1:]))
    theirs.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in theirs.weights])
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def outputs_and_gradients(layer, inputs, weights, **call):
    inputs = tf.convert_to_tensor(inputs)
    variables = [w.value for w in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, **call)
        cost = tf.reduce_sum(outputs * weights)
    return outputs, *tape.gradient(cost, [inputs, *variables])


def assert_follows_keras(ours, theirs, shape, steps=4, **call):
    rng = np.random.default_rng(4)
    tolerance = 1e-10 if ours.dtype == "float64" else 2e-5
    for _ in range(steps):
        inputs, weights = (rng.normal(1, 2, shape).astype(ours.dtype) for _ in range(2))
        for actual, expected in zip(
            outputs_and_gradients(ours, inputs, weights, **call),
            outputs_and_gradients(theirs, inputs, weights, **call),
            strict=True,
        ):
            np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=5 * tolerance)
        for actual, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=tolerance)


class TestAgainstKeras:
    @pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
    @pytest.mark.parametrize("training", [True, False])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_input_shapes(self, shape, training, dtype):
        assert_follows_keras(*pair(shape, dtype), shape, training=training)

    @pytest.mark.parametrize(
        ("shape", "axis"),
        [((8, 5), 1), ((6, 4, 5), 1), ((6, 4, 5), -2), ((4, 3, 2, 5), 1), ((4, 3, 2, 5), -3)],
    )
    def test_axes(self, shape, axis):
        assert_follows_keras(*pair(shape, axis=axis), shape, training=True)
        assert_follows_keras(*pair(shape, axis=axis), shape, training=False, steps=1)

    @pytest.mark.parametrize("center", [True, False])
    @pytest.mark.parametrize("scale", [True, False])
    def test_center_and_scale(self, center, scale):
        shape = (8, 5)
        layers = pair(shape, center=center, scale=scale)
        assert len(layers[0].trainable_weights) == center + scale
        assert_follows_keras(*layers, shape, training=True)

    @pytest.mark.parametrize("shape", [(6, 4, 5), (4, 3, 2, 5)])
    def test_a_mask(self, rng, shape):
        mask = rng.random(shape[:-1]) < 0.5
        # Keras adds 1e-7 to the number of positions that count.
        assert_follows_keras(*pair(shape), shape, training=True, mask=mask)

    def test_a_mask_that_hides_everything(self):
        shape = (6, 4, 5)
        layers = pair(shape)
        mask = np.zeros(shape[:-1], bool)
        assert_follows_keras(*layers, shape, training=True, mask=mask)
        assert all(np.isfinite(w).all() for w in layers[0].get_weights())

    @pytest.mark.parametrize("training", [True, False, None])
    def test_frozen_means_inference(self, training):
        shape = (8, 5)
        layers = pair(shape)
        before = layers[0].get_weights()
        for layer in layers:
            layer.trainable = False
        assert_follows_keras(*layers, shape, training=training)
        for now, then in zip(layers[0].get_weights(), before, strict=True):
            np.testing.assert_array_equal(now, then)

    def test_one_example_a_batch_is_possible(self):
        assert_follows_keras(*pair((1, 5)), (1, 5), training=True)

    def test_in_fit_with_mixed_precision(self):
        x = np.random.default_rng(5).normal(size=(32, 4)).astype("float32")
        y = x.sum(1, keepdims=True)
        weights = []
        for layer in (BatchNorm, keras.layers.BatchNormalization):
            keras.utils.set_random_seed(1)
            model = keras.Sequential(
                [keras.Input((4,)), layer(momentum=0.9, dtype="mixed_float16")]
            )
            model.compile(keras.optimizers.SGD(0.1), "mse")
            model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
            weights.append(model.get_weights())
        for ours, theirs in zip(*weights, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3)


def test_the_default_momentum_is_the_courses():
    assert BatchNorm().momentum == 0.9


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_formula(rng, shape):
    """The course's equation, in float64 NumPy."""
    z = rng.normal(1, 2, shape)
    layer, _ = pair(shape, "float64")
    gamma, beta, *_ = layer.get_weights()
    np.testing.assert_allclose(
        layer(z, training=True), reference.batch_norm(z, gamma, beta), rtol=1e-11, atol=1e-12
    )


def test_one_example_has_the_same_prediction_alone_and_in_a_batch(rng):
    """Course 2.8."""
    layer, _ = pair((8, 5))
    z = rng.normal(size=(8, 5)).astype("float32")
    alone = np.concatenate([layer(z[i : i + 1]) for i in range(8)])
    np.testing.assert_array_equal(alone, layer(z))


def test_a_mask_comes_from_the_layer_before():
    tokens = np.array([[3, 1, 0, 0], [2, 0, 0, 0]])
    embedding = keras.layers.Embedding(4, 5, mask_zero=True)
    layer = BatchNorm(momentum=0.0)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layer(embedding(inputs)))
    model(tokens, training=True)
    seen = np.asarray(embedding.embeddings)[[3, 1, 2]]  # the positions that are not padding
    np.testing.assert_allclose(layer.moving_mean, seen.mean(0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(layer.moving_variance, seen.var(0), rtol=1e-4, atol=1e-7)


def test_statistics_of_float16_inputs_are_kept_in_float32():
    """A float16 sum over 4096 values of 100 would overflow."""
    z = np.full((4096, 2), 100, "float16")
    z[::2] += 2
    layer = BatchNorm(dtype="mixed_float16", momentum=0.0)
    assert np.isfinite(layer(z, training=True)).all()
    np.testing.assert_allclose(layer.moving_mean, 101, rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, 1, rtol=1e-6)


class TestBiasCorrection:
    @pytest.mark.parametrize("momentum", [0.0, 0.9, 0.999])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_averages_are_corrected(self, rng, momentum, dtype):
        """After t steps the moving mean is ``v_t/(1-β^t)``."""
        layer = BatchNorm(momentum=momentum, bias_correction=True, dtype=dtype)
        batches = rng.normal(3, 2, (20, 8, 5)).astype(dtype)
        statistics = [reference.moments(batch, (0,)) for batch in batches]
        weights = [averages.bias_correction(momentum, t) for t in range(1, 21)]
        expected = [
            averages.weighted_average(series, momentum) / np.reshape(weights, (-1, 1))
            for series in zip(*statistics, strict=True)
        ]
        tolerance = {"float32": 2e-5, "float64": 1e-11}[dtype]
        for t, batch in enumerate(batches):
            layer(batch, training=True)
            for moving, wanted in zip(
                (layer.moving_mean, layer.moving_variance), expected, strict=True
            ):
                np.testing.assert_allclose(moving, wanted[t], rtol=tolerance)
            np.testing.assert_allclose(layer.moving_weight, weights[t], rtol=tolerance)

    @pytest.mark.parametrize("spread", [10, 1, 1e-3])
    def test_after_one_step_they_are_the_batchs_own(self, rng, spread):
        z = rng.normal(0.5, spread, (8, 5)).astype("float32")
        layer = BatchNorm(momentum=0.99, bias_correction=True)
        layer(z, training=True)
        mean, variance = reference.moments(z, (0,))
        np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
        np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)

    def test_a_momentum_of_one_records_nothing(self, rng):
        layer = BatchNorm(momentum=1.0, bias_correction=True)
        layer(rng.normal(size=(8, 5)), training=True)
        np.testing.assert_array_equal(layer.moving_mean, np.zeros(5))
        np.testing.assert_array_equal(layer.moving_variance, np.ones(5))


class TestErrors:
    @pytest.mark.parametrize("momentum", [-0.1, 1.1, float("nan"), "0.9", None])
    def test_momentum(self, momentum):
        with pytest.raises(
            ValueError,
            match=rf"BatchNorm: momentum must be a number in \[0, 1\]\. Received: {momentum!r}\.",
        ):
            BatchNorm(momentum=momentum)

    @pytest.mark.parametrize("epsilon", [0, -1e-3, float("nan"), "1e-3"])
    def test_epsilon(self, epsilon):
        with pytest.raises(
            ValueError, match=rf"BatchNorm: epsilon must be a number > 0\. Received: {epsilon!r}\."
        ):
            BatchNorm(epsilon=epsilon)

    @pytest.mark.parametrize("axis", [2, -3])
    def test_an_axis_that_does_not_exist(self, axis):
        with pytest.raises(
            ValueError,
            match=r"axis must lie in \[-2, 2\) for an input of shape \(4, 3\)\. "
            rf"Received: axis={axis}\.",
        ):
            BatchNorm(axis=axis)(np.ones((4, 3), "float32"))

    def test_an_axis_of_unknown_size(self):
        with pytest.raises(
            ValueError,
            match=r"the size of axis -1 must be known\. Received: input shape \(None, None\)\.",
        ):
            BatchNorm()(keras.Input((None,)))

    def test_an_integer_input(self):
        with pytest.raises(
            ValueError,
            match=r"inputs must be floating point; cast them first\. Received: dtype.*int32",
        ):
            BatchNorm()(np.ones((4, 3), "int32"))

    def test_a_mask_of_another_rank(self):
        with pytest.raises(
            ValueError,
            match=r"mask must have one rank less than the inputs\. "
            r"Received: mask of shape \(4, 3\), inputs of shape \(4, 3\)\.",
        ):
            BatchNorm()(np.ones((4, 3), "float32"), mask=np.ones((4, 3), bool), training=True)
