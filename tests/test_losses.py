"""Cross-entropies of smoothed labels, against Keras's own and against NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from tfcourse import SoftmaxHead, fit
from tfcourse.formulas.softmax import smooth_labels
from tfcourse.losses import SmoothedCrossentropy


@pytest.fixture
def batch(rng):
    """Logits of eight examples of five classes, their labels and weights."""
    return rng.normal(0, 3, (8, 5)).astype("float32"), rng.integers(0, 5, 8), rng.uniform(size=8)


def test_the_formula(rng, compiled, dtype, close):
    y = np.eye(4)[rng.integers(0, 4, 6)]
    own = compiled(lambda y: smooth_labels(y, 0.3, 4))(tf.constant(y, dtype))
    close(own, 0.7 * y + 0.3 / 4)
    close(tf.reduce_sum(own, -1), np.ones(6))


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
class TestKerassNumbers:
    def test_of_one_hot_labels_and_of_class_numbers(self, batch, smoothing, from_logits):
        logits, labels, weights = batch
        outputs = logits if from_logits else keras.activations.softmax(tf.constant(logits))
        theirs = keras.losses.CategoricalCrossentropy(from_logits, smoothing)
        expected = theirs(np.eye(5)[labels], outputs, weights)
        own = SmoothedCrossentropy("categorical_crossentropy", smoothing, from_logits)
        np.testing.assert_allclose(own(np.eye(5)[labels], outputs, weights), expected, rtol=1e-6)
        sparse = SmoothedCrossentropy("sparse_categorical_crossentropy", smoothing, from_logits)
        for y in (labels, labels[:, None]):
            np.testing.assert_allclose(sparse(y, outputs, weights), expected, rtol=1e-6)

    def test_of_yes_or_no(self, batch, smoothing, from_logits):
        logits, labels, weights = batch
        outputs = logits[:, :1] if from_logits else keras.activations.sigmoid(logits[:, :1])
        expected = keras.losses.BinaryCrossentropy(from_logits, smoothing)(
            labels[:, None] > 2, outputs, weights
        )
        own = SmoothedCrossentropy("binary_crossentropy", smoothing, from_logits)
        for y in (labels > 2, labels[:, None] > 2):
            np.testing.assert_allclose(own(y, outputs, weights), expected, rtol=1e-6)


def test_it_stays_finite_where_a_probability_is_rounded_to_zero():
    model = keras.Sequential([keras.Input((2,)), SoftmaxHead(2, use_bias=False)])
    model.layers[0].kernel.assign([[500.0, 0.0], [0.0, 0.0]])
    x = np.array([[1.0, 0.0]], "float32")
    own = SmoothedCrossentropy("sparse_categorical_crossentropy", 0.2)(np.array([1]), model(x))
    expected = -(np.array([0.1, 0.9]) @ log_softmax([500.0, 0.0]))
    np.testing.assert_allclose(own, expected, rtol=1e-6)


def test_another_smoothing_takes_effect_in_the_compiled_program(rng):
    x, y = rng.normal(size=(32, 4)).astype("float32"), rng.integers(0, 3, 32)
    model = keras.Sequential([keras.Input((4,)), SoftmaxHead(3)])
    loss = SmoothedCrossentropy("sparse_categorical_crossentropy")
    model.compile(keras.optimizers.SGD(0.0), loss)

    def trained():
        return fit(model, x, y, batch_size=32, verbose=0).history["loss"][0]

    plain = keras.losses.SparseCategoricalCrossentropy()(y, model(x))
    np.testing.assert_allclose(trained(), plain, rtol=1e-6)
    loss.label_smoothing = 0.4
    smoothed = keras.losses.CategoricalCrossentropy(label_smoothing=0.4)(np.eye(3)[y], model(x))
    np.testing.assert_allclose(trained(), smoothed, rtol=1e-6)


def test_its_config_makes_another_one():
    own = SmoothedCrossentropy("binary_crossentropy", 0.2, from_logits=True, reduction="sum")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(own))
    assert again.get_config() == own.get_config()


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"loss must be one of .* Received: 'mse'\."):
        SmoothedCrossentropy("mse")
    with pytest.raises(ValueError, match=r"label_smoothing must be a number in \[0, 1\)\."):
        SmoothedCrossentropy("binary_crossentropy", 1.0)


def test_labels_beyond_the_classes_are_refused_as_with_kerass_loss(rng):
    model = keras.Sequential([keras.Input((4,)), SoftmaxHead(3)])
    model.compile("sgd", SmoothedCrossentropy("sparse_categorical_crossentropy", 0.1))
    with pytest.raises(ValueError, match=r"class numbers from 0 to 3, the model has 3 outputs"):
        fit(model, rng.normal(size=(4, 4)), np.arange(4), verbose=0)
