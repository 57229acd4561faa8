import keras
import numpy as np

from tests.contracts.optimizer_contract import OptimizerContract
from tests.reference import updates as reference
from tfcourse import RMSprop


class TestRMSprop(OptimizerContract):
    optimizer_class = RMSprop
    update = staticmethod(reference.rmsprop)
    hyperparameters = {"rho": 0.95, "epsilon": 1e-3}
    changed = {"learning_rate": 2**-4, "rho": 0.5, "epsilon": 0.1}
    # Keras's ε stands inside the root.
    twin = (keras.optimizers.RMSprop, {"rho": 0.875, "epsilon": 1e-28})
    matched = {"rho": 0.875, "epsilon": 1e-14}
    inadmissible = [
        ({"rho": 1.0}, r"rho must be a number in \[0, 1\)\. Received: 1\.0\."),
        ({"epsilon": 0}, r"epsilon must be a number > 0\. Received: 0\."),
        ({"epsilon": -1e-8}, r"epsilon must be a number > 0\. Received: -1e-08\."),
    ]

    def test_keras_rmsprop_takes_the_same_path_as_epsilon_vanishes(self):
        theirs = keras.optimizers.RMSprop(learning_rate=2**-6, rho=0.95, epsilon=1e-14)
        path = self.descend(theirs, 100)
        self.assert_equal(self.descend(self.make(epsilon=1e-14), 100), path, tolerance=1e-8)
        # Its ε stands inside the root: with a large one the two part.
        assert np.abs(self.descend(self.make(epsilon=0.1), 100)[-1] - path[-1]).max() > 1e-3

    def test_the_defaults_are_the_courses(self):
        assert (RMSprop().rho, RMSprop().epsilon) == (0.9, 1e-8)
