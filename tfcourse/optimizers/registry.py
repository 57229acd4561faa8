"""The course's optimizers by the names that a search config calls them."""

from tfcourse.optimizers.adam import Adam
from tfcourse.optimizers.base import CourseOptimizer
from tfcourse.optimizers.gradient_descent import GradientDescent
from tfcourse.optimizers.momentum import Momentum
from tfcourse.optimizers.rmsprop import RMSprop
from tfcourse.types import Hyperparameter

__all__ = ["OPTIMIZERS", "create"]

OPTIMIZERS: dict[str, type[CourseOptimizer]] = {
    "gradient_descent": GradientDescent,
    "momentum": Momentum,
    "rmsprop": RMSprop,
    "adam": Adam,
}


def create(name: str, **hyperparameters: Hyperparameter) -> CourseOptimizer:
    """Return the optimizer that a search config calls ``name``."""
    return OPTIMIZERS[name](**hyperparameters)
