"""State that a model keeps beside what Keras counts as its variables."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfcourse.internals.layers import flatten_layers, is_tracking_attribute

__all__ = ["PlainVariable", "attributes", "own_state"]


@dataclass(frozen=True)
class PlainVariable:
    """A ``tf.Variable``, with the attributes of Keras's that matter here.

    Attributes:
        value: The variable.
        path: Where it was found.
    """

    value: Any
    path: str

    @property
    def shape(self) -> Any:
        """Its shape; that of one number where even the rank isn't known."""
        return () if self.value.shape.rank is None else self.value.shape

    @property
    def dtype(self) -> str:
        """The name of its type."""
        return str(self.value.dtype.name)

    def assign(self, value: Any) -> None:
        """Sets it."""
        self.value.assign(value)


def own_state(model: Any, with_optimizers: bool) -> list[Any]:
    """The ``tf.Variable``s and generators that a model and its layers have as attributes.

    Args:
        model: The model.
        with_optimizers: Whether also the variables of all their optimizers, of which Keras knows
            one, as a ``train_step`` of the model's own needs them.
    """
    found: list[Any] = []
    for layer in flatten_layers(model):
        for name, value in attributes(layer):
            if isinstance(value, tf.random.Generator):
                value = value.state
            if isinstance(value, tf.Variable) and _is_numeric(value):
                found.append(PlainVariable(value, f"{layer.path}/{name}"))
            elif with_optimizers and isinstance(value, keras.optimizers.Optimizer):
                found += value.variables
    return found


def attributes(layer: Any) -> Iterator[tuple[str, Any]]:
    """A layer's (or model's) attributes, and what those hold that are lists, tuples or dicts."""
    for name, value in vars(layer).items():
        if is_tracking_attribute(name):
            continue  # TensorFlow's own list of the others
        if isinstance(value, dict):
            yield from ((f"{name}[{key!r}]", part) for key, part in value.items())
        elif isinstance(value, list | tuple):
            yield from ((f"{name}[{index}]", part) for index, part in enumerate(value))
        else:
            yield name, value


def _is_numeric(variable: Any) -> bool:
    dtype = variable.dtype
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool or dtype.is_complex)
