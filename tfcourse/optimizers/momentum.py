"""Gradient descent with momentum, in the course's form."""

from typing import Any

import keras

from tfcourse.formulas import updates
from tfcourse.optimizers.base import CourseOptimizer, DecayVariable
from tfcourse.types import LearningRate

__all__ = ["Momentum"]


@keras.saving.register_keras_serializable(package="tfcourse")
class Momentum(CourseOptimizer):
    """``v ← βv + (1-β)dw;  w ← w - αv`` (course 5.9).

    v is an average of the gradients, so that α keeps its meaning when β changes. Keras's
    ``SGD(learning_rate=α(1-β), momentum=β)`` takes the same steps while α stays the same: its
    velocity holds the α of the steps that it averages.

    α and β are variables of the optimizer: ``optimizer.momentum = 0.95`` in the middle of a
    compiled training takes effect at the next step, and is saved with the model.

    Args:
        learning_rate: α ≥ 0, a number, a Keras ``LearningRateSchedule`` or a callable.
        momentum: β, 0 ≤ β < 1.
        **kwargs: The arguments of every Keras optimizer (``weight_decay``, ``clipnorm``, …).

    Raises:
        ValueError: If a hyperparameter is outside its range.
    """

    slots = ("velocity",)
    formula = staticmethod(updates.momentum)
    momentum = DecayVariable()

    def __init__(
        self, learning_rate: LearningRate = 0.01, momentum: float = 0.9, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.momentum = momentum
