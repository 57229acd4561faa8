import keras
import pytest

from tests.contracts.optimizer_contract import ALPHA, OptimizerContract
from tests.reference import updates as reference
from tfcourse import Momentum


class TestMomentum(OptimizerContract):
    optimizer_class = Momentum
    update = staticmethod(reference.momentum)
    hyperparameters = {"momentum": 0.95}
    changed = {"learning_rate": 2**-4, "momentum": 0.5}
    inadmissible = [
        ({"momentum": 1.0}, r"momentum must be a number in \[0, 1\)\. Received: 1\.0\."),
        ({"momentum": -0.1}, r"momentum must be a number in \[0, 1\)\. Received: -0\.1\."),
        ({"momentum": "0.9"}, r"momentum must be a number in \[0, 1\)\. Received: '0\.9'\."),
        ({"momentum": True}, r"momentum must be a number in \[0, 1\)\. Received: True\."),
    ]

    @pytest.mark.parametrize("beta", [0.0, 0.5, 0.875])
    def test_keras_sgd_takes_the_same_path_with_alpha_scaled(self, beta):
        """Course 5.9."""
        theirs = keras.optimizers.SGD(learning_rate=ALPHA * (1 - beta), momentum=beta)
        path = self.descend(self.make(momentum=beta), 100)
        self.assert_equal(path, self.descend(theirs, 100))

    def test_the_default_beta_is_the_courses(self):
        assert Momentum().momentum == 0.9
