"""The steps of Keras's optimizers on one device."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import keras

from tfcourse.internals.optimizers import without_all_reduce
from tfcourse.optimizers.keras_equivalent import optimizer_parts
from tfcourse.training.programs.own_state import attributes

__all__ = ["on_one_device"]


def on_one_device(step: Callable[[Any], Any], model: Any) -> Callable[[Any], Any]:
    """A model's step, whose optimizers do not sum the gradients over replicas: there is one.

    That sum (TensorFlow's ``all_reduce``) changes nothing then, but it registers a gradient of its
    own in each program that it is traced into. TensorFlow never forgets one, and with it keeps the
    program, to the end of the process: 4.5 MiB for each small model that is trained.

    Args:
        step: The step.
        model: The model, created outside of a ``tf.distribute`` strategy.
    """

    def alone(batch: Any) -> Any:
        with _without_replicas(model):
            return step(batch)

    return alone


def _without_replicas(model: Any) -> AbstractContextManager[None]:
    optimizers = [o for _, o in attributes(model) if isinstance(o, keras.optimizers.Optimizer)]
    return without_all_reduce(part for o in optimizers for part in optimizer_parts(o))
