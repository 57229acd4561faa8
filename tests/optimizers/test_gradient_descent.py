import keras
import pytest

from tests.contracts.optimizer_contract import OptimizerContract
from tests.reference import updates as reference
from tfcourse import GradientDescent


class TestGradientDescent(OptimizerContract):
    optimizer_class = GradientDescent
    update = staticmethod(reference.gradient_descent)
    hyperparameters = {}
    changed = {"learning_rate": 2**-4}
    inadmissible = []
    twin = (keras.optimizers.SGD, {})
    matched = {}
    twin_tolerance = 0  # exactly Keras's


def test_the_default_learning_rate_is_the_courses():
    assert float(GradientDescent().learning_rate) == pytest.approx(0.01)
