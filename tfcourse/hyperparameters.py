"""The course's hyperparameters and optimizers: admissible values, ranges to search, defaults.

The optimizers' and the model builders' checks, the search configs and the toy read these tables.
"""

import importlib
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfcourse.errors import shown
from tfcourse.types import Optimizer

__all__ = [
    "COURSE_OPTIMIZERS",
    "HYPERPARAMETERS",
    "KERAS_OPTIMIZERS",
    "OPTIMIZERS",
    "OPTIMIZER_ARGUMENTS",
    "SCHEDULES",
    "SCHEDULE_ARGUMENTS",
    "SMOOTHED_LOSSES",
    "Hyperparameter",
    "RegisteredOptimizer",
    "check",
    "is_number",
]


def is_number(value: object, kind: type = numbers.Real) -> bool:
    """Return whether ``value`` is a number of Python's or NumPy's, and not a bool.

    Args:
        value: An argument of the user's, which may be of another type than its annotation.
        kind: ``numbers.Integral`` for whole numbers only.
    """
    return isinstance(value, kind) and not isinstance(value, bool)


@dataclass(frozen=True)
class Hyperparameter:
    """A hyperparameter: its admissible values, and the course's advice for searching it.

    ``priority`` is the course's order (section 1.1): 1 is tuned first, 4 is rarely touched.
    ``search`` is a usual range to search, ``scale`` the scale to search it on.
    """

    name: str
    kind: type
    minimum: float
    maximum: float = math.inf
    minimum_allowed: bool = True
    maximum_allowed: bool = True
    priority: int = 4
    search: tuple[float, float] | None = None
    scale: str = "linear"

    @property
    def admissible(self) -> str:
        """The admissible values in words, such as ``a number in [0, 1)``."""
        noun = "a whole number" if self.kind is int else "a number"
        if self.maximum == math.inf:
            return f"{noun} {'>=' if self.minimum_allowed else '>'} {self.minimum:g}"
        opening, closing = (
            "[" if self.minimum_allowed else "(",
            "]" if self.maximum_allowed else ")",
        )
        return f"{noun} in {opening}{self.minimum:g}, {self.maximum:g}{closing}"

    def admits(self, value: object) -> bool:
        """Return whether ``value`` is one of the admissible values."""
        kind = numbers.Integral if self.kind is int else numbers.Real
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        value = float(value)
        above = value >= self.minimum if self.minimum_allowed else value > self.minimum
        below = value <= self.maximum if self.maximum_allowed else value < self.maximum
        return math.isfinite(value) and above and below

    def check(self, value: object, owner: str) -> Any:
        """Return ``value``, or raise a ValueError that names ``owner`` if it is not admissible."""
        if self.admits(value):
            return value
        raise ValueError(
            f"{owner}: {self.name} must be {self.admissible}. Received: {shown(value)}."
        )


def _decay(name: str, **advice: Any) -> Hyperparameter:
    return Hyperparameter(name, float, 0, 1, maximum_allowed=False, **advice)


HYPERPARAMETERS: dict[str, Hyperparameter] = {
    h.name: h
    for h in (
        Hyperparameter("learning_rate", float, 0, priority=1, search=(1e-4, 1.0), scale="log"),
        _decay("momentum", priority=2, search=(0.9, 0.999), scale="one_minus_log"),
        Hyperparameter("units", int, 1, priority=2, search=(32, 128)),
        Hyperparameter("batch_size", int, 1, priority=2, search=(64, 512)),
        Hyperparameter("layers", int, 1, priority=3, search=(1, 3)),
        Hyperparameter("filters", int, 1, search=(8, 64)),
        Hyperparameter("kernel_size", int, 1, search=(2, 5)),
        Hyperparameter("blocks", int, 1, search=(1, 3)),
        Hyperparameter("pool_size", int, 1),
        _decay("beta_1", search=(0.9, 0.999), scale="one_minus_log"),
        _decay("beta_2", search=(0.9, 0.9999), scale="one_minus_log"),
        _decay("rho", search=(0.9, 0.999), scale="one_minus_log"),
        Hyperparameter("epsilon", float, 0, minimum_allowed=False),
        Hyperparameter("weight_decay", float, 0),
        Hyperparameter("clipnorm", float, 0, minimum_allowed=False),
        _decay("warmup", search=(0.0, 0.2)),
        Hyperparameter("decay_rate", float, 0, search=(0.01, 1.0), scale="log"),
        _decay("label_smoothing", search=(0.0, 0.2)),
        _decay("dropout"),
        Hyperparameter("epochs", int, 1),
    )
}

# The learning rate's course over a training, and the settings of it in a config.
SCHEDULES = ("constant", "cosine", "linear", "inverse_time")
SCHEDULE_ARGUMENTS = ("schedule", "warmup", "decay_rate")
# Keras's losses whose labels can be smoothed.
SMOOTHED_LOSSES = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
)


def check(name: str, value: object, owner: str) -> Any:
    """Return ``value`` if it is admissible for the hyperparameter ``name``.

    Args:
        name: A name in `HYPERPARAMETERS`.
        value: Its value.
        owner: The function or class that takes it, for the message.

    Raises:
        ValueError: It is not: ``Adam: beta_1 must be a number in [0, 1). Received: 1.5.``
    """
    return HYPERPARAMETERS[name].check(value, owner)


@dataclass(frozen=True)
class RegisteredOptimizer:
    """An optimizer that a config may name.

    Attributes:
        module: The module of its class.
        class_name: The name of its class.
        arguments: The hyperparameters that a config may set.
        defaults: Of the course's optimizers, the value of each argument that is not set.
    """

    module: str
    class_name: str
    arguments: tuple[str, ...]
    defaults: Mapping[str, float] = field(default_factory=dict)

    def load(self) -> type[Optimizer]:
        """Return the class; this imports TensorFlow."""
        loaded: type[Optimizer] = getattr(importlib.import_module(self.module), self.class_name)
        return loaded


def _course(module: str, class_name: str, **defaults: float) -> RegisteredOptimizer:
    module = f"tfcourse.optimizers.{module}"
    return RegisteredOptimizer(module, class_name, tuple(defaults), defaults)


def _keras(class_name: str, *arguments: str) -> RegisteredOptimizer:
    arguments = (*arguments, "weight_decay", "clipnorm")
    return RegisteredOptimizer("keras.optimizers", class_name, arguments)


_ADAM = ("learning_rate", "beta_1", "beta_2", "epsilon")

COURSE_OPTIMIZERS: dict[str, RegisteredOptimizer] = {
    "gradient_descent": _course("gradient_descent", "GradientDescent", learning_rate=0.01),
    "momentum": _course("momentum", "Momentum", learning_rate=0.01, momentum=0.9),
    "rmsprop": _course("rmsprop", "RMSprop", learning_rate=0.001, rho=0.9, epsilon=1e-8),
    "adam": _course("adam", "Adam", learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
}
KERAS_OPTIMIZERS: dict[str, RegisteredOptimizer] = {
    "keras:sgd": _keras("SGD", "learning_rate", "momentum", "nesterov"),
    "keras:rmsprop": _keras("RMSprop", "learning_rate", "rho", "momentum", "epsilon", "centered"),
    "keras:adam": _keras("Adam", *_ADAM, "amsgrad"),
    "keras:adamw": _keras("AdamW", *_ADAM, "amsgrad"),
    "keras:adamax": _keras("Adamax", *_ADAM),
    "keras:nadam": _keras("Nadam", *_ADAM),
    "keras:adagrad": _keras("Adagrad", "learning_rate", "epsilon"),
    "keras:adadelta": _keras("Adadelta", "learning_rate", "rho", "epsilon"),
    "keras:lion": _keras("Lion", "learning_rate", "beta_1", "beta_2"),
    "keras:lamb": _keras("Lamb", *_ADAM),
}
# Every optimizer by the name that a config uses: an optimizer is registered here and nowhere else.
OPTIMIZERS = COURSE_OPTIMIZERS | KERAS_OPTIMIZERS
# The course's with their hyperparameters, all of which are variables of the optimizer.
OPTIMIZER_ARGUMENTS = {name: entry.arguments for name, entry in COURSE_OPTIMIZERS.items()}
