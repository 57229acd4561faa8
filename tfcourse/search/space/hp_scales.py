"""The course's scales for a model builder of stock keras-tuner's, ``build(hp)``."""

from typing import Any

from tfcourse.errors import shown
from tfcourse.formulas.scales import SCALES

__all__ = ["log_uniform", "one_minus_log"]


def log_uniform(hp: Any, name: str, low: float, high: float) -> float:
    """Return a value whose exponent is uniform (course 1.4): ``α = 10^r``.

    ``learning_rate = tfcourse.log_uniform(hp, "learning_rate", 1e-4, 1.0)``

    Args:
        hp: keras-tuner's ``HyperParameters``, in the ``build(hp)`` of any of its tuners.
        name: The hyperparameter's name.
        low: The smallest value, > 0.
        high: The largest value.

    Raises:
        ValueError: The ends are no range of this scale.
    """
    _check("log_uniform", name, low, high, "log")
    return float(hp.Float(name, low, high, sampling="log"))


def one_minus_log(hp: Any, name: str, low: float, high: float) -> float:
    """Return a decay β whose 1-β has a uniform exponent (course 1.5): ``β = 1 - 10^r``.

    keras-tuner has no such scale (its ``"reverse_log"`` is close to uniform on [0.9, 0.999]): what
    it searches, shows and stores is ``one_minus_NAME``, the value of 1-β, on its log scale.

    ``beta = tfcourse.one_minus_log(hp, "beta", 0.9, 0.999)``

    Args:
        hp: keras-tuner's ``HyperParameters``, in the ``build(hp)`` of any of its tuners.
        name: β's name.
        low: The smallest β.
        high: The largest β, < 1.

    Raises:
        ValueError: The ends are no range of this scale.
    """
    _check("one_minus_log", name, low, high, "one_minus_log")
    complement = hp.Float(f"one_minus_{name}", 1 - high, 1 - low, sampling="log")
    return float(min(max(1 - complement, low), high))


def _check(function: str, name: str, low: float, high: float, scale: str) -> None:
    received = f"Received: {shown(low)} and {shown(high)}."
    if not low < high:
        raise ValueError(f'{function}: "{name}" needs low < high. {received}')
    if demand := SCALES[scale].admits(low, high):
        raise ValueError(f'{function}: "{name}" needs {demand}. {received}')
