"""A search space as keras-tuner's ``HyperParameters``."""

from collections.abc import Mapping
from typing import Any

import keras_tuner

from tfcourse.search.space.parameters import Choice, Parameter

__all__ = ["to_hyperparameters"]


def to_hyperparameters(space: Mapping[str, Parameter]) -> Any:
    """Register each parameter under its name.

    keras-tuner has no scale for 1-β, and its samplers share their randomness between trials: it
    keeps names and ranges, and the values come from `tfcourse.search.space.sampling.sample`.
    """
    hyperparameters = keras_tuner.HyperParameters()
    for name, parameter in space.items():
        if isinstance(parameter, Choice):
            values = list(parameter.values)
            # keras-tuner wants one type, where TOML writes [0, 0.25].
            mixed = len({type(value) for value in values}) > 1
            hyperparameters.Choice(name, [float(v) for v in values] if mixed else values)
        elif parameter.kind == "int":
            step = int(parameter.step or 1)
            hyperparameters.Int(name, int(parameter.low), int(parameter.high), step=step)
        else:
            hyperparameters.Float(name, float(parameter.low), float(parameter.high))
    return hyperparameters
