import keras
import numpy as np

from tests.contracts.optimizer_contract import ALPHA, BOWL, OptimizerContract
from tests.reference import updates as reference
from tfcourse import Adam


class TestAdam(OptimizerContract):
    optimizer_class = Adam
    update = staticmethod(reference.adam)
    hyperparameters = {"beta_1": 0.875, "beta_2": 0.99, "epsilon": 1e-3}
    changed = {"learning_rate": 2**-4, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1}
    # Decays exact in float32, in which Keras computes their powers; an ε that doesn't show.
    twin = (keras.optimizers.Adam, {"beta_1": 0.875, "beta_2": 0.96875, "epsilon": 1e-14})
    matched = {"beta_1": 0.875, "beta_2": 0.96875, "epsilon": 1e-14}
    inadmissible = [
        ({"beta_1": 1.0}, r"beta_1 must be a number in \[0, 1\)\. Received: 1\.0\."),
        ({"beta_2": 1.5}, r"beta_2 must be a number in \[0, 1\)\. Received: 1\.5\."),
        ({"epsilon": 0}, r"epsilon must be a number > 0\. Received: 0\."),
        ({"epsilon": float("inf")}, r"epsilon must be a number > 0\. Received: inf\."),
    ]

    def test_keras_adam_takes_the_same_path_with_its_epsilon_matched(self):
        """Keras adds its ε to the uncorrected root: it must be ε·sqrt(1-β₂ᵗ) at step t."""
        # Decays that are exact in float32, in which Keras computes their powers.
        epsilon, betas, steps = 0.1, {"beta_1": 0.875, "beta_2": 0.96875}, iter(range(1, 101))
        theirs = keras.optimizers.Adam(ALPHA, **betas)

        def gradient(w):
            theirs.epsilon = epsilon * np.sqrt(1 - 0.96875 ** next(steps))
            return BOWL.gradient(w)

        path = self.descend(self.make(epsilon=epsilon, **betas), 100)
        self.assert_equal(path, self.descend(theirs, 100, gradient=gradient))
        unmatched = keras.optimizers.Adam(ALPHA, **betas, epsilon=epsilon)
        assert np.abs(path[-1] - self.descend(unmatched, 100)[-1]).max() > 1e-2

    def test_pytorchs_published_adam_takes_the_same_path(self):
        """With the same ε: it stands where the paper's Algorithm 1 and the course have it."""
        path = self.descend(self.make(), 100)
        theirs = {"lr": ALPHA, "betas": (0.875, 0.99), "eps": 1e-3}
        expected = reference.descend(
            reference.torch_adam, BOWL.gradient, BOWL.start, 100 * [theirs]
        )
        self.assert_equal(path, expected)
        self.assert_equal(path[-1], reference.TORCH_ADAM_AFTER_100_STEPS)

    def test_a_beta_near_one_keeps_its_digits_in_float32(self):
        """A float32 ``1 - 0.99999`` is off by 1 %."""
        optimizer = Adam(ALPHA, beta_2=0.99999)
        w = keras.Variable(BOWL.start.astype("float32"))
        for _ in range(20):
            optimizer.apply([keras.ops.convert_to_tensor(BOWL.b.astype("float32"))], [w])
        # A constant gradient: every corrected step is α.
        expected = BOWL.start - 20 * ALPHA * np.sign(BOWL.b)
        np.testing.assert_allclose(w.numpy(), expected, rtol=2e-6)

    def test_the_defaults_are_the_courses(self):
        adam = Adam()
        assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.9, 0.999, 1e-8)
