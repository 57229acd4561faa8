"""Keras's optimizers in place of the course's, for a model that loads without tfcourse."""

from typing import Any

import keras

from tfcourse.internals.optimizers import inner_optimizers
from tfcourse.optimizers.adam import Adam
from tfcourse.optimizers.base import CourseOptimizer
from tfcourse.optimizers.gradient_descent import GradientDescent
from tfcourse.optimizers.momentum import Momentum
from tfcourse.optimizers.rmsprop import RMSprop
from tfcourse.optimizers.schedule import base_rate, schedule_of
from tfcourse.types import Optimizer

__all__ = ["is_own_optimizer", "keras_equivalent", "optimizer_parts"]


def is_own_optimizer(optimizer: object) -> bool:
    """Return whether an optimizer is, contains, or has as its schedule, one of tfcourse's."""
    return any(
        isinstance(part, CourseOptimizer) or schedule_of(part) is not None
        for part in optimizer_parts(optimizer)
    )


def optimizer_parts(optimizer: Any) -> list[Any]:
    """Return an optimizer and those that it contains, as loss scaling and ``MultiOptimizer`` do."""
    inner = inner_optimizers(optimizer)
    inner += [optimizer.inner_optimizer] if hasattr(optimizer, "inner_optimizer") else []
    return [optimizer, *(part for other in inner for part in optimizer_parts(other))]


def keras_equivalent(optimizer: Optimizer) -> Optimizer | None:
    """Return Keras's optimizer of the same hyperparameters, or None if it has none.

    ``GradientDescent`` and ``Momentum`` become ``SGD``, which takes the same steps, ``Momentum``
    with ``α(1-β)``. ``Adam`` and ``RMSprop`` differ in where ε is added: Keras's ``Adam`` adds it
    to the root before that is corrected, and its ``RMSprop`` inside the root, where ε² has the
    same effect on a gradient of 0. The result has taken no step. A `TrainingSchedule` becomes its
    α₀, also in one of Keras's own optimizers.

    There is none for a subclass, for a ``MultiOptimizer`` and for a ``Momentum`` whose learning
    rate is a schedule.

    Args:
        optimizer: One of `is_own_optimizer`, perhaps in a ``LossScaleOptimizer``.
    """
    if type(optimizer) is keras.optimizers.LossScaleOptimizer:
        inner = keras_equivalent(optimizer.inner_optimizer)
        names = ("name", "initial_scale", "dynamic_growth_steps")
        config = {name: value for name, value in optimizer.get_config().items() if name in names}
        return inner and keras.optimizers.LossScaleOptimizer(inner, **config)
    config = optimizer.get_config()
    scheduled = schedule_of(optimizer) is not None
    if scheduled:
        config["learning_rate"] = base_rate(optimizer)
    equivalent: Optimizer | None = None
    if type(optimizer) is GradientDescent:
        equivalent = keras.optimizers.SGD.from_config(config)
    elif type(optimizer) is Adam:
        equivalent = keras.optimizers.Adam.from_config(config)
    elif type(optimizer) is RMSprop:
        config["epsilon"] **= 2
        equivalent = keras.optimizers.RMSprop.from_config(config)
    elif type(optimizer) is Momentum and isinstance(config["learning_rate"], float):
        share = 1 - config["momentum"]
        config["learning_rate"] *= share
        if config["weight_decay"]:  # which Keras multiplies by the learning rate
            config["weight_decay"] /= share
        equivalent = keras.optimizers.SGD.from_config(config)
    elif scheduled and type(optimizer).__module__.startswith("keras."):
        equivalent = type(optimizer).from_config(config)
    return equivalent
