import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit
from scipy.special import softmax as scipy_softmax

from tests.contracts.layer_contract import LayerContract
from tests.reference import softmax as reference
from tfcourse import SoftmaxHead

OUTPUT_DTYPES = {
    "float32": "float32",
    "float64": "float64",
    "mixed_float16": "float32",
    "mixed_bfloat16": "float32",
}


class TestSoftmaxHead(LayerContract):
    layer_class = SoftmaxHead
    arguments = {
        "classes": 3,
        "kernel_initializer": keras.initializers.HeNormal(seed=1),
        "bias_initializer": keras.initializers.Constant(0.1),
        "kernel_regularizer": keras.regularizers.L2(0.1),
        "bias_regularizer": keras.regularizers.L1(0.1),
        "kernel_constraint": keras.constraints.MaxNorm(9),
        "bias_constraint": keras.constraints.NonNeg(),
    }
    trainable_names = ["kernel", "bias"]
    other_names = []
    output_dtypes = OUTPUT_DTYPES


class TestSoftmaxHeadOfLogits(TestSoftmaxHead):
    arguments = {"classes": 3, "use_bias": False, "logits": True}
    trainable_names = ["kernel"]


def head(features=4, classes=3, **kwargs):
    """A head with random weights, and those weights."""
    layer = SoftmaxHead(classes, bias_initializer="random_normal", **kwargs)
    layer.build((None, features))
    return layer, [w.astype("float64") for w in layer.get_weights()]


@pytest.mark.parametrize("shape", [(8, 4), (2, 3, 4)])
def test_probabilities_and_logits(rng, shape):
    x = rng.normal(size=shape)
    for logits in (False, True):
        layer, (kernel, bias) = head(logits=logits, dtype="float64")
        z = x @ kernel + bias
        expected = z if logits else scipy_softmax(z, -1)
        np.testing.assert_allclose(layer(x), expected, rtol=1e-12, atol=1e-13)


def test_it_equals_a_dense_layer_with_softmax(rng):
    layer, _ = head()
    dense = keras.layers.Dense(3, activation="softmax")
    dense.build((None, 4))
    dense.set_weights(layer.get_weights())
    x = rng.normal(size=(8, 4)).astype("float32")
    np.testing.assert_allclose(layer(x), dense(x), rtol=1e-6)


@pytest.mark.parametrize("policy", OUTPUT_DTYPES)
def test_logits_are_not_narrower_than_float32(policy):
    assert head(logits=True, dtype=policy)[0](np.ones((2, 4))).dtype == OUTPUT_DTYPES[policy]


def test_two_classes_are_logistic_regression(rng):
    """Course 3.3."""
    layer, (kernel, bias) = head(classes=2, dtype="float64")
    x = rng.normal(size=(8, 4))
    expected = expit(x @ (kernel[:, 1] - kernel[:, 0]) + bias[1] - bias[0])
    np.testing.assert_allclose(layer(x)[:, 1], expected, rtol=1e-12)


class TestWithTheStockLoss:
    """``from_logits=False``, its default; the head's kernel is 1, so that its input is z."""

    def model(self, policy="float32"):
        layer = SoftmaxHead(3, kernel_initializer="identity", use_bias=False, dtype=policy)
        return keras.Sequential([keras.Input((3,)), layer])

    @pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
    @pytest.mark.parametrize("sparse", [True, False])
    def test_huge_logits(self, policy, sparse, compiled):
        model = self.model(policy)
        z = tf.constant([[1e4, -1e4, 0], [-1e4, 1e4, 0], [0, 0, 0], [1e4, 1e4, -1e4]])
        labels = np.array([1, 1, 2, 0])
        y = np.eye(3)[labels]
        loss = (
            keras.losses.SparseCategoricalCrossentropy()
            if sparse
            else keras.losses.CategoricalCrossentropy()
        )

        def loss_and_gradient():
            with tf.GradientTape() as tape:
                tape.watch(z)
                value = loss(labels if sparse else y, model(z))
            return value, tape.gradient(value, z)

        value, gradient = compiled(loss_and_gradient)()
        assert float(value) == pytest.approx((2e4 + 0 + np.log(3) + np.log(2)) / 4)
        np.testing.assert_allclose(gradient, (scipy_softmax(z, -1) - y) / 4, atol=1e-4)

    def test_the_gradient_is_the_difference(self, rng):
        """Course 3.6: dz = (ŷ - y)/m for the mean over m examples."""
        model, labels = self.model("float64"), rng.integers(0, 3, 8)
        z, y = tf.constant(rng.normal(0, 3, (8, 3))), np.eye(3)[labels]
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = keras.losses.SparseCategoricalCrossentropy()(labels, model(z))
        assert float(loss) == pytest.approx(reference.cross_entropy(y, z.numpy()).mean())
        expected = (scipy_softmax(z, -1) - y) / 8
        np.testing.assert_allclose(tape.gradient(loss, z), expected, rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
    def test_train_on_batch(self, policy):
        model = self.model(policy)
        model.compile("sgd", "sparse_categorical_crossentropy")
        x = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0]], "float32")
        assert model.train_on_batch(x, np.array([1, 1])) == pytest.approx(1e4)
        assert np.isfinite(model.get_weights()[0]).all()


class TestHelpers:
    @pytest.mark.parametrize("logits", [False, True])
    @pytest.mark.parametrize("shape", [(8, 4), (2, 3, 4)])
    def test_classify_top_k_and_hardmax(self, rng, logits, shape):
        layer, (kernel, bias) = head(logits=logits)
        x = rng.normal(size=shape).astype("float32")
        z = x @ kernel + bias
        np.testing.assert_array_equal(layer.classify(x), z.argmax(-1))
        np.testing.assert_array_equal(layer.hardmax(x), np.eye(3)[z.argmax(-1)])
        probabilities, classes = layer.top_k(x, k=2)
        np.testing.assert_array_equal(classes, np.argsort(-z)[..., :2])
        expected = np.sort(scipy_softmax(z, -1))[..., :-3:-1]
        np.testing.assert_allclose(probabilities, expected, rtol=1e-5)

    def test_they_build_the_layer(self):
        assert SoftmaxHead(3).classify(np.ones((2, 4), "float32")).shape == (2,)

    @pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
    def test_they_agree_with_the_output(self, rng, policy):
        layer, _ = head(dtype=policy)
        x = rng.normal(size=(64, 4))
        probabilities, classes = layer.top_k(x, k=1)
        outputs = layer(x)
        np.testing.assert_array_equal(layer.classify(x), np.argmax(outputs, -1))
        np.testing.assert_array_equal(classes[:, 0], np.argmax(outputs, -1))
        np.testing.assert_allclose(probabilities[:, 0], np.max(outputs, -1), rtol=5e-3)


class TestErrors:
    @pytest.mark.parametrize("classes", [0, -1, 2.5, True, None, "three", float("nan")])
    def test_classes(self, classes):
        with pytest.raises(
            ValueError,
            match=rf"SoftmaxHead: classes must be a whole number >= 2\. Received: {classes!r}\.",
        ):
            SoftmaxHead(classes)

    def test_one_class(self):
        with pytest.raises(
            ValueError, match=r"For one yes-or-no output use Dense\(1, activation=\"sigmoid\"\)\."
        ):
            SoftmaxHead(1)

    def test_unknown_features(self):
        with pytest.raises(
            ValueError,
            match=r"SoftmaxHead: the size of the last input axis must be known\. "
            r"Received: input shape \(None, None\)\.",
        ):
            SoftmaxHead(3)(keras.Input((None,)))
