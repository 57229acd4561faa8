import keras
import numpy as np
import pytest

from tests.contracts.optimizer_contract import ALPHA, OptimizerContract
from tests.reference import updates as reference
from tfcourse import Momentum


class TestMomentum(OptimizerContract):
    optimizer_class = Momentum
    update = staticmethod(reference.momentum)
    hyperparameters = {"momentum": 0.95}
    changed = {"learning_rate": 2**-4, "momentum": 0.5}
    twin = (keras.optimizers.SGD, {"momentum": 0.875})
    matched = {"momentum": 0.875}
    twin_alpha = 1 - 0.875
    twin_follows_schedules = False  # its velocity holds the α of earlier steps
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

    def test_keras_takes_another_path_where_alpha_changes(self):
        """The next step is α times the average, and not the average of steps."""
        paths = []
        for optimizer in self.pair():
            w, step = self.weight_and_step(optimizer)
            path = self.walk(w, step, 5)
            optimizer.learning_rate = 0.0
            paths.append([*path, *self.walk(w, step, 1)[1:]])
        self.assert_equal(paths[0][:6], paths[1][:6])
        np.testing.assert_array_equal(paths[0][6], paths[0][5])
        assert np.abs(paths[1][6] - paths[1][5]).max() > 1e-3

    def test_the_default_beta_is_the_courses(self):
        assert Momentum().momentum == 0.9
