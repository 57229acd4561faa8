"""Gradient descent with momentum, in the course's form."""

from collections.abc import Sequence
from typing import Any

import keras

from tfcourse.formulas import updates
from tfcourse.optimizers.base import CourseOptimizer, Decay

__all__ = ["Momentum"]


@keras.saving.register_keras_serializable(package="tfcourse")
class Momentum(CourseOptimizer):
    """``v ← βv + (1-β)dw;  w ← w - αv`` (course 5.9).

    v is an average of the gradients, so that α keeps its meaning when β changes. Keras's
    ``SGD(learning_rate=α(1-β), momentum=β)`` takes the same steps.

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
    momentum = Decay()

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.9, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.momentum = momentum

    def update(self, gradient: Any, state: Sequence[Any], learning_rate: Any) -> Sequence[Any]:
        """`tfcourse.formulas.updates.momentum`."""
        (velocity,) = state
        return updates.momentum(
            gradient,
            velocity,
            learning_rate=learning_rate,
            one_minus_momentum=self.stored("momentum", gradient.dtype),
        )
