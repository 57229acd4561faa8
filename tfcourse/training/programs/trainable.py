"""The layers that are trained where ``trainable`` changes without a new ``compile``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import tensorflow as tf

from tfcourse.internals.layers import flatten_layers, set_trainable_flag, trainable_flag
from tfcourse.types import KerasModel, Layer, Nested, Variable

__all__ = ["FirstTrainable"]

# The layers and their variables, each with its own flag.
Flags = list[tuple[Layer | Variable, bool]]


class FirstTrainable:
    """The layers that the first trace of a model trains, for all other traces to train them too.

    ``trainable`` takes effect with ``compile``, as in Keras, which continues to call the function
    that it has traced. Data of another size or kind may need another trace here.
    """

    def __init__(self) -> None:
        self.flags: Flags = []

    def freeze(self, model: KerasModel) -> None:
        """Take the model's present flags as those of the first trace."""
        self.flags = self.flags or _flags(model)

    def differs(self, model: KerasModel) -> bool:
        """Return True if the flags of the first trace are no longer the model's."""
        return any(trainable_flag(part) != flag for part, flag in self.flags)

    def wrap(
        self, step: Callable[[Nested], Nested], model: KerasModel
    ) -> Callable[[Nested], Nested]:
        """Return a model's step that is traced with the flags of the first trace."""

        def step_with_flags(batch: Nested) -> Nested:
            if tf.executing_eagerly():
                return step(batch)
            self.freeze(model)
            with _set_for_now(self.flags):
                return step(batch)

        return step_with_flags


def _flags(model: KerasModel) -> Flags:
    return [(part, trainable_flag(part)) for part in (*flatten_layers(model), *model.variables)]


@contextmanager
def _set_for_now(flags: Flags) -> Iterator[None]:
    """Set flags, and restore the others at the end."""
    # Not through `trainable`, with which a layer sets all that is inside it.
    changes = [(part, flag) for part, flag in flags if trainable_flag(part) != flag]
    try:
        for part, flag in changes:
            set_trainable_flag(part, flag)
        yield
    finally:
        for part, flag in changes:
            set_trainable_flag(part, not flag)
