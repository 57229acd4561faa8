"""Which of a model's layers are trained, where that is changed without a new ``compile``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from tfcourse.internals.layers import flatten_layers, set_trainable_flag, trainable_flag

__all__ = ["FirstTrainable"]


class FirstTrainable:
    """Has all traces of a model train the layers that its first one trained.

    ``trainable`` takes effect with ``compile``, as in Keras, which goes on with the function that
    it has traced. Data of another size or kind may need another trace here.
    """

    def __init__(self) -> None:
        self.flags: list[tuple[Any, bool]] = []

    def kept_in(self, step: Callable[[Any], Any], model: Any) -> Callable[[Any], Any]:
        """The model's step with the layers as they were when one was first traced."""

        def traced(batch: Any) -> Any:
            if tf.executing_eagerly():
                return step(batch)
            self.flags = self.flags or _flags(model)
            with _set(self.flags):
                return step(batch)

        return traced


def _flags(model: Any) -> list[tuple[Any, bool]]:
    """The flags of the layers and of their variables, each with what it belongs to."""
    return [(part, trainable_flag(part)) for part in (*flatten_layers(model), *model.variables)]


@contextmanager
def _set(flags: list[tuple[Any, bool]]) -> Iterator[None]:
    # Not through `trainable`, with which a layer sets all that is inside it.
    changed = [(part, trainable_flag(part)) for part, flag in flags if trainable_flag(part) != flag]
    try:
        for part, now in changed:
            set_trainable_flag(part, not now)
        yield
    finally:
        for part, now in changed:
            set_trainable_flag(part, now)
