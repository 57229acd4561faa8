"""Course 5.7: which of Keras's initializers draw the course's weights, and which do not."""

import keras
import numpy as np
import pytest
from keras.initializers import GlorotNormal, GlorotUniform, HeNormal, LecunNormal, VarianceScaling
from scipy import stats

INPUTS, UNITS = 100, 2000
DRAWN = INPUTS * UNITS

HE, XAVIER = 2 / INPUTS, 1 / INPUTS  # the course's variances, for ReLU and for tanh
NORMAL = "untruncated_normal"
CUT = 2 / 0.87962566103423978  # Keras's truncated normals end here, in standard deviations


def draw(initializer):
    """The kernel of a Dense layer, whose n[l-1] is its first axis."""
    layer = keras.layers.Dense(UNITS, kernel_initializer=initializer)
    layer.build((None, INPUTS))
    return layer.kernel.numpy().astype("float64")


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (VarianceScaling(2.0, "fan_in", NORMAL, seed=0), HE),
        (HeNormal(seed=0), HE),
        (VarianceScaling(1.0, "fan_in", NORMAL, seed=0), XAVIER),
        (LecunNormal(seed=0), XAVIER),
    ],
    ids=["normal, He", "HeNormal", "normal, Xavier", "LecunNormal"],
)
def test_mean_and_variance_are_the_courses(initializer, variance):
    w = draw(initializer)
    # Four standard errors; those of a normal's variance are the larger ones.
    assert abs(w.mean()) < 4 * np.sqrt(variance / DRAWN)
    assert w.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / DRAWN))
    # Erratum E7: `np.random.rand` is never negative. Half of a zero-mean normal is.
    assert np.mean(w < 0) == pytest.approx(0.5, abs=2 / np.sqrt(DRAWN))


@pytest.mark.parametrize(
    ("scale", "named", "variance"), [(2.0, HeNormal, HE), (1.0, LecunNormal, XAVIER)]
)
def test_keras_cuts_off_the_tails_of_the_normal_and_widens_the_rest(scale, named, variance):
    plain = draw(VarianceScaling(scale, "fan_in", NORMAL, seed=0)) / np.sqrt(variance)
    cut = draw(named(seed=0)) / np.sqrt(variance)
    assert stats.kstest(plain.ravel(), stats.norm.cdf).pvalue > 0.01
    truncated = stats.truncnorm(-2, 2, scale=CUT / 2).cdf
    assert stats.kstest(cut.ravel(), truncated).pvalue > 0.01
    assert stats.kstest(cut.ravel(), stats.norm.cdf).pvalue < 1e-6
    assert np.abs(cut).max() <= CUT * (1 + 1e-6) < np.abs(plain).max()


def test_the_glorot_initializers_are_not_the_courses_xavier():
    """Theirs is 2/(n[l-1] + n[l]): the course's 1/n[l-1] only where both are the same."""
    assert draw(GlorotNormal(seed=0)).var() == pytest.approx(2 / (INPUTS + UNITS), rel=0.02)
    assert draw(GlorotUniform(seed=0)).var() == pytest.approx(2 / (INPUTS + UNITS), rel=0.02)


def test_what_a_dense_layer_starts_with():
    layer = keras.layers.Dense(UNITS)
    assert isinstance(layer.kernel_initializer, GlorotUniform)
    layer.build((None, INPUTS))
    assert not layer.bias.numpy().any()  # b = 0, as in the course


def mean_squares(activation, weights):
    """The mean of a² in each layer of a deep network on standard normal inputs."""
    a, found = np.random.default_rng(0).normal(size=(500, INPUTS)), []
    for w in weights:
        a = activation(a @ w)
        found.append(np.mean(a**2))
    return np.array(found)


def test_neither_exploding_nor_vanishing():
    def draws(scale):
        initializers = [VarianceScaling(scale, "fan_in", NORMAL, seed=n) for n in range(30)]
        return [initializer((INPUTS, INPUTS)).numpy() for initializer in initializers]

    def relu(z):
        return np.maximum(0, z)

    he = mean_squares(relu, draws(2.0))
    assert he.min() > 0.1
    assert he.max() < 10
    assert mean_squares(relu, draws(1.0))[-1] < 1e-7  # half of it is lost in each layer
    xavier = mean_squares(np.tanh, draws(1.0))
    assert xavier[-1] > 0.01
    # Erratum E7: uniform on [0, 1) instead of the normal.
    uniform = np.random.default_rng(0)
    exploding = mean_squares(relu, [uniform.random((INPUTS, INPUTS)) for _ in range(30)])
    assert exploding[-1] > 1e80
