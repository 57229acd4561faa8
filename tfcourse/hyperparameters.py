"""The course's hyperparameters: what each may be, where to search, and how much it matters.

The one table behind the optimizers' checks, the model builders' checks and the search configs.
"""

import math
import numbers
from dataclasses import dataclass
from typing import Any

from tfcourse.errors import shown

__all__ = ["HYPERPARAMETERS", "OPTIMIZER_ARGUMENTS", "Hyperparameter", "check"]


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter: its admissible values, and the course's advice for searching it.

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
        left, right = "[" if self.minimum_allowed else "(", "]" if self.maximum_allowed else ")"
        return f"{noun} in {left}{self.minimum:g}, {self.maximum:g}{right}"

    def admits(self, value: Any) -> bool:
        """Whether ``value`` is one of the admissible values."""
        kind = numbers.Integral if self.kind is int else numbers.Real
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        value = float(value)
        above = value >= self.minimum if self.minimum_allowed else value > self.minimum
        below = value <= self.maximum if self.maximum_allowed else value < self.maximum
        return math.isfinite(value) and above and below


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
        _decay("beta_1", search=(0.9, 0.999), scale="one_minus_log"),
        _decay("beta_2", search=(0.9, 0.9999), scale="one_minus_log"),
        _decay("rho", search=(0.9, 0.999), scale="one_minus_log"),
        Hyperparameter("epsilon", float, 0, minimum_allowed=False),
        Hyperparameter("weight_decay", float, 0),
        Hyperparameter("clipnorm", float, 0, minimum_allowed=False),
        _decay("dropout"),
        Hyperparameter("epochs", int, 1),
    )
}


def check(name: str, value: Any, owner: str) -> Any:
    """``value`` itself if the hyperparameter ``name`` may be it; a ValueError naming both if not.

    Args:
        name: A name in `HYPERPARAMETERS`.
        value: What was passed for it.
        owner: Whose argument it is, for the message.

    Raises:
        ValueError: Not admissible: ``Adam: beta_1 must be a number in [0, 1). Received: 1.5.``
    """
    hyperparameter = HYPERPARAMETERS[name]
    if hyperparameter.admits(value):
        return value
    raise ValueError(
        f"{owner}: {name} must be {hyperparameter.admissible}. Received: {shown(value)}."
    )


# The optimizers of the course by the name a config uses, and their hyperparameters.
OPTIMIZER_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "gradient_descent": ("learning_rate",),
    "momentum": ("learning_rate", "momentum"),
    "rmsprop": ("learning_rate", "rho", "epsilon"),
    "adam": ("learning_rate", "beta_1", "beta_2", "epsilon"),
}
