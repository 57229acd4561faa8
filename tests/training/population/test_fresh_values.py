"""The initial values are those of a model that is built, to the last bit."""

import keras
import numpy as np
import pytest

from tests.training.population.small import CLASSES, FEATURES
from tests.training.population.test_population_parity import embedding, many_layers, random_layers
from tfcourse import InputError
from tfcourse.training.population.fresh import FreshValues

layers = keras.layers
SEEDS = [3, 0, 2**31 + 5, 99]


def orthogonal():
    """Initializers of all kinds, one with a seed of its own."""
    own = keras.initializers.HeNormal(seed=4)
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            layers.Dense(7, kernel_initializer="orthogonal", bias_initializer="truncated_normal"),
            layers.Dense(7, kernel_initializer=own),
            layers.Dropout(0.5, seed=5),
            layers.PReLU(alpha_initializer="random_normal"),
            layers.Dense(CLASSES, kernel_initializer=keras.initializers.VarianceScaling(2.0)),
        ]
    )


def from_numpy():
    """Weights that Keras's initializers did not make."""
    model = keras.Sequential([keras.Input((FEATURES,)), layers.Dense(CLASSES)])
    model.set_weights([np.random.normal(size=w.shape) for w in model.get_weights()])
    return model


def expected(build, seed):
    keras.utils.set_random_seed(seed)
    return [variable.numpy() for variable in build().variables]


@pytest.mark.parametrize("build", [embedding, many_layers, random_layers, orthogonal, from_numpy])
def test_a_built_models_values(build):
    shapes = [tuple(v.shape) for v in build().variables]
    built = []

    def counted():
        built.append(build)
        return build()

    fresh = FreshValues(counted, shapes)
    values = fresh.of(SEEDS)
    for seed, found in zip(SEEDS, values, strict=True):
        wanted = expected(build, seed)
        assert [v.dtype for v in found] == [v.dtype for v in wanted]
        for mine, theirs in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    # Two models to learn from; where the first was not made by Keras's initializers, all others.
    assert len(built) == (1 + len(SEEDS) if build is from_numpy else 2)
    assert any((a != b).any() for a, b in zip(values[0], values[1], strict=True))


def test_few_members_are_built():
    built = []

    def build():
        built.append(orthogonal())
        return built[-1]

    shapes = [tuple(v.shape) for v in orthogonal().variables]
    FreshValues(build, shapes).of(SEEDS[:2])
    assert len(built) == 2


def test_another_architecture():
    units = iter((3, 4))

    def build():
        return keras.Sequential([keras.Input((2,)), layers.Dense(next(units))])

    with pytest.raises(InputError, match="build must return the same architecture every time"):
        FreshValues(build, [(2, 3), (3,)]).of([0, 1])
