"""The steps of Keras's optimizers on one device."""

from collections.abc import Callable

import keras

from tfcourse.internals.optimizers import without_all_reduce
from tfcourse.optimizers.keras_equivalent import optimizer_parts
from tfcourse.training.programs.adam_update import with_adam_updates
from tfcourse.training.programs.own_state import attributes
from tfcourse.types import KerasModel, Nested, Optimizer

__all__ = ["on_one_device"]


def on_one_device(
    step: Callable[[Nested], Nested], model: KerasModel
) -> Callable[[Nested], Nested]:
    """Return a model's step whose optimizers do not sum the gradients over replicas.

    With one replica that sum (TensorFlow's ``all_reduce``) changes nothing, but it registers a
    gradient of its own in each program that it is traced into. TensorFlow keeps these, and with
    each the program, until the process ends: 4.5 MiB for each small model that is trained.

    Args:
        step: The step.
        model: The model, created outside of a ``tf.distribute`` strategy.
    """

    def step_without_sum(batch: Nested) -> Nested:
        parts = [part for o in _optimizers(model) for part in optimizer_parts(o)]
        with without_all_reduce(parts), with_adam_updates(parts):
            return step(batch)

    return step_without_sum


def _optimizers(model: KerasModel) -> list[Optimizer]:
    return [o for _, o in attributes(model) if isinstance(o, keras.optimizers.Optimizer)]
