import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit
from scipy.special import softmax as scipy_softmax

from tests.reference import softmax as reference
from tests.reference.gradients import check_ratio, numerical_gradient
from tfcourse.formulas.softmax import cross_entropy, hardmax, linear, softmax, sparse_cross_entropy


@pytest.fixture
def batch(rng):
    """Logits of six examples of four classes, and their one-hot labels."""
    return rng.normal(0, 3, (6, 4)), np.eye(4)[rng.integers(0, 4, 6)]


def test_the_course_figure(compiled, dtype, close):
    actual = compiled(softmax)(tf.constant([5, 2, -1, 3], dtype))
    close(actual, [0.842, 0.042, 0.002, 0.114], atol=5e-4)


@pytest.mark.parametrize("shape", [(4,), (6, 4), (2, 3, 5)])
def test_softmax_equals_scipy(rng, compiled, dtype, close, shape):
    z = rng.normal(0, 3, shape).astype(dtype)
    close(compiled(softmax)(tf.constant(z)), scipy_softmax(z.astype(np.float64), -1))


def test_huge_logits_stay_finite(compiled, dtype, close):
    z = tf.constant([[1e4, -1e4, 0], [1e4, 1e4, -1e4]], dtype)
    close(compiled(softmax)(z), [[1, 0, 0], [0.5, 0.5, 0]])


def test_hardmax_is_one_at_the_largest(compiled, dtype, close):
    z = tf.constant([[5, 2, -1, 3], [-3, -2, -4, -9]], dtype)
    close(compiled(hardmax)(z), [[1, 0, 0, 0], [0, 1, 0, 0]])


def test_hardmax_takes_the_first_of_a_tie(compiled, dtype, close):
    z = tf.constant([[1, 3, 3, 0], [2, 2, 2, 2]], dtype)
    close(compiled(hardmax)(z), [[0, 1, 0, 0], [1, 0, 0, 0]])


def test_softmax_keeps_the_order(batch):
    """Course 3.2: it is hardmax made soft."""
    z, _ = batch
    np.testing.assert_array_equal(np.argsort(softmax(tf.constant(z))), np.argsort(z))


def test_two_classes_are_logistic_regression(rng, compiled, dtype, close):
    """Course 3.3."""
    z = rng.normal(0, 3, (20, 2)).astype(dtype)
    close(compiled(softmax)(tf.constant(z))[:, 1], expit(np.float64(z[:, 1]) - z[:, 0]))


def test_cross_entropy_of_the_course(compiled, dtype, close):
    y, a = tf.constant([0, 1, 0, 0], dtype), tf.constant([0.3, 0.2, 0.1, 0.4], dtype)
    close(compiled(cross_entropy)(y, a), 1.609, atol=5e-4)


def test_cross_entropy_one_loss_an_example(batch, compiled, dtype, close):
    z, y = (array.astype(dtype) for array in batch)
    actual = compiled(lambda y, z: cross_entropy(y, softmax(z)))(tf.constant(y), tf.constant(z))
    close(actual, reference.cross_entropy(y, z))


def test_a_probability_of_zero_where_y_is_zero_adds_nothing(compiled, dtype, close):
    y, a = tf.constant([1, 0, 0], dtype), tf.constant([0.5, 0.5, 0], dtype)
    close(compiled(cross_entropy)(y, a), np.log(2))


def loss_gradient(y, z):
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = cross_entropy(y, softmax(z))
    return tape.gradient(loss, z)


def sparse_gradient(y, z):
    return sparse_cross_entropy(tf.argmax(y, -1), z)[1]


def test_the_gradient_is_the_difference(batch, compiled, dtype, close):
    """Course 3.6: dz = ŷ - y, by automatic differentiation and by the formula."""
    z, y = (array.astype(dtype) for array in batch)
    expected = scipy_softmax(z.astype(np.float64), -1) - y
    for gradient in (loss_gradient, sparse_gradient):
        close(compiled(gradient)(tf.constant(y), tf.constant(z)), expected)


def test_the_sparse_loss_is_the_dense_one(batch, compiled, dtype, close):
    z, y = (array.astype(dtype) for array in batch)
    losses, _ = compiled(sparse_cross_entropy)(y.argmax(-1), tf.constant(z))
    close(losses, reference.cross_entropy(y, z))


def test_the_sparse_loss_stays_finite_where_a_probability_underflows(compiled, dtype, close):
    z = tf.constant([[1000, 0, 0]], dtype)
    losses, gradients = compiled(sparse_cross_entropy)(tf.constant([1]), z)
    close(losses, [1000])
    close(gradients, [[1, -1, 0]])


@pytest.mark.parametrize("shape", [(4,), (6, 4), (2, 3, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(rng, compiled, dtype, close, shape, bias):
    x, w, b = (rng.normal(size=s).astype(dtype) for s in (shape, (4, 3), (3,)))
    actual = compiled(lambda x: linear(x, w, b if bias else None, dtype))(tf.constant(x))
    close(actual, np.float64(x) @ w + (b if bias else 0))


def test_the_gradient_stays_finite_where_a_probability_underflows(dtype, close):
    y, z = tf.constant([[1, 0, 0]], dtype), tf.constant([[1000, 0, 0]], dtype)
    close(loss_gradient(y, z), [[0, 0, 0]])


def test_the_gradient_passes_the_numerical_check(batch):
    z, y = batch
    approximate = numerical_gradient(lambda z: reference.cross_entropy(y, z).sum(), z)
    assert check_ratio(approximate, sparse_gradient(y, tf.constant(z)).numpy()) < 1e-7


def test_hardmax_of_a_batch_of_sequences(rng, compiled, dtype):
    logits = rng.normal(size=(2, 3, 5)).astype(dtype)
    result = np.asarray(compiled(hardmax)(logits))
    np.testing.assert_array_equal(result, logits == logits.max(-1, keepdims=True))
