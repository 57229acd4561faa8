"""Adam, as in the paper's Algorithm 1."""

from typing import Any

import keras
import tensorflow as tf

from tfcourse.formulas import updates
from tfcourse.formulas.averages import bias_correction_from_complement
from tfcourse.optimizers.base import CourseOptimizer, DecayVariable, HyperparameterVariable
from tfcourse.types import LearningRate, Tensor, TensorLike

__all__ = ["Adam"]


@keras.saving.register_keras_serializable(package="tfcourse")
class Adam(CourseOptimizer):
    """Momentum and RMSprop together, bias-corrected (course 5.11; Kingma and Ba 2015).

    ``v ← β₁v + (1-β₁)dw;  s ← β₂s + (1-β₂)dw²;  w ← w - α · (v/(1-β₁ᵗ)) / (√(s/(1-β₂ᵗ)) + ε)``

    Keras's ``Adam`` adds its ε (1e-7) to the uncorrected root; the two agree as ε → 0.

    α, β₁, β₂ and ε are variables of the optimizer: ``optimizer.beta_1 = 0.95`` in the middle of
    a compiled training takes effect at the next step, and is saved with the model.

    Args:
        learning_rate: α ≥ 0, a number, a Keras ``LearningRateSchedule`` or a callable.
        beta_1: β₁, 0 ≤ β₁ < 1.
        beta_2: β₂, 0 ≤ β₂ < 1.
        epsilon: ε > 0, added to the bias-corrected root.
        **kwargs: The arguments of every Keras optimizer (``weight_decay``, ``clipnorm``, …).

    Raises:
        ValueError: If a hyperparameter is outside its range.
    """

    slots = ("average", "square")
    formula = staticmethod(updates.adam)
    beta_1 = DecayVariable()
    beta_2 = DecayVariable()
    epsilon = HyperparameterVariable()

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def step_hyperparameters(self, learning_rate: TensorLike, dtype: str) -> dict[str, Tensor]:
        """Return the hyperparameters, and 1-β₁ᵗ and 1-β₂ᵗ, which are computed in double."""
        hyperparameters = super().step_hyperparameters(learning_rate, dtype)
        t = tf.cast(self.iterations + 1, tf.float64)
        for i in (1, 2):
            one_minus_beta = tf.convert_to_tensor(self.hyperparameters[f"beta_{i}"])
            correction = bias_correction_from_complement(one_minus_beta, t)
            hyperparameters[f"correction_{i}"] = tf.cast(correction, dtype)
        return hyperparameters
