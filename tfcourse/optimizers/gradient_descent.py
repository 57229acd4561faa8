"""Plain gradient descent."""

from typing import Any

import keras

from tfcourse.formulas import updates
from tfcourse.optimizers.base import CourseOptimizer
from tfcourse.types import LearningRate

__all__ = ["GradientDescent"]


@keras.saving.register_keras_serializable(package="tfcourse")
class GradientDescent(CourseOptimizer):
    """``w ← w - α dw``, as Keras's ``SGD`` without momentum.

    Args:
        learning_rate: α ≥ 0, a number, a Keras ``LearningRateSchedule`` or a callable.
        **kwargs: The arguments of every Keras optimizer (``weight_decay``, ``clipnorm``, …).

    Raises:
        ValueError: If α is negative.
    """

    formula = staticmethod(updates.gradient_descent)

    def __init__(self, learning_rate: LearningRate = 0.01, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
