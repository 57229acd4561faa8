"""The course's optimizers: thin state around the updates of `tfcourse.formulas.updates`."""

from typing import Any

from tfcourse.optimizers.adam import Adam
from tfcourse.optimizers.base import CourseOptimizer
from tfcourse.optimizers.gradient_descent import GradientDescent
from tfcourse.optimizers.momentum import Momentum
from tfcourse.optimizers.rmsprop import RMSprop

__all__ = ["OPTIMIZERS", "Adam", "GradientDescent", "Momentum", "RMSprop", "create"]

OPTIMIZERS: dict[str, type[CourseOptimizer]] = {
    "gradient_descent": GradientDescent,
    "momentum": Momentum,
    "rmsprop": RMSprop,
    "adam": Adam,
}


def create(name: str, **hyperparameters: Any) -> CourseOptimizer:
    """The optimizer that a search config calls ``name``."""
    return OPTIMIZERS[name](**hyperparameters)
