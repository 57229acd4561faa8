"""RMSprop, in the course's form."""

from typing import Any

import keras

from tfcourse.formulas import updates
from tfcourse.optimizers.base import CourseOptimizer, DecayVariable, HyperparameterVariable
from tfcourse.types import LearningRate

__all__ = ["RMSprop"]


@keras.saving.register_keras_serializable(package="tfcourse")
class RMSprop(CourseOptimizer):
    """``s ← βs + (1-β)dw²;  w ← w - α dw/(√s + ε)`` (course 5.10, with the ε of erratum E6).

    The course's β (its β₂) has Keras's name ``rho``. Keras's ``RMSprop`` puts ε inside the root.

    α, rho and epsilon are variables of the optimizer: ``optimizer.rho = 0.99`` in the middle of
    a compiled training takes effect at the next step, and is saved with the model.

    Args:
        learning_rate: α ≥ 0, a number, a Keras ``LearningRateSchedule`` or a callable.
        rho: β, 0 ≤ β < 1.
        epsilon: ε > 0, added to the root.
        **kwargs: The arguments of every Keras optimizer (``weight_decay``, ``clipnorm``, …).

    Raises:
        ValueError: If a hyperparameter is outside its range.
    """

    slots = ("square",)
    formula = staticmethod(updates.rmsprop)
    rho = DecayVariable()
    epsilon = HyperparameterVariable()

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.9,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.epsilon = epsilon
