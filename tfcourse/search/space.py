"""A search space as keras-tuner's ``HyperParameters``."""

from collections.abc import Mapping
from typing import Any

import keras_tuner

from tfcourse.search.parameters import Choice, Parameter

__all__ = ["to_hyperparameters"]


def to_hyperparameters(space: Mapping[str, Parameter]) -> Any:
    """Registers each parameter under its name.

    keras-tuner has no scale for 1-β, and its samplers share their randomness between trials: it
    keeps names and ranges, and the values come from `tfcourse.search.sampling.sample`.
    """
    hyperparameters = keras_tuner.HyperParameters()
    for name, parameter in space.items():
        if isinstance(parameter, Choice):
            hyperparameters.Choice(name, list(parameter.values))
        elif parameter.kind == "int":
            low, high, step = (int(v or 1) for v in (parameter.low, parameter.high, parameter.step))
            hyperparameters.Int(name, low, high, step=step)
        else:
            hyperparameters.Float(name, float(parameter.low), float(parameter.high))
    return hyperparameters
