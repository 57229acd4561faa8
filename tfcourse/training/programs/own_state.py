"""State of a model beside what Keras counts as its variables."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfcourse.internals.layers import flatten_layers, is_tracking_attribute
from tfcourse.types import KerasModel, Layer, Shape, TensorLike

__all__ = ["PlainVariable", "attributes", "own_state"]


@dataclass(frozen=True)
class PlainVariable:
    """A ``tf.Variable``, with the attributes of Keras's that matter here.

    Attributes:
        value: The variable.
        path: The path of its layer and the attribute's name.
    """

    value: Any
    path: str

    @property
    def shape(self) -> Shape:
        """The shape; that of one number where even the rank isn't known."""
        return () if self.value.shape.rank is None else self.value.shape

    @property
    def dtype(self) -> str:
        """The name of the type."""
        return str(self.value.dtype.name)

    def assign(self, value: TensorLike) -> None:
        """Set the variable."""
        self.value.assign(value)


def own_state(model: KerasModel, with_optimizers: bool) -> list[Any]:
    """Return the ``tf.Variable``s and generators that a model and its layers have as attributes.

    Args:
        model: The model.
        with_optimizers: Whether to return the variables of all their optimizers too. Keras knows
            one optimizer; a ``train_step`` of the model's own may use more.
    """
    variables: list[Any] = []
    for layer in flatten_layers(model):
        for name, value in attributes(layer):
            if isinstance(value, tf.random.Generator):
                value = value.state
            if isinstance(value, tf.Variable) and _is_numeric(value):
                variables.append(PlainVariable(value, f"{layer.path}/{name}"))
            elif with_optimizers and isinstance(value, keras.optimizers.Optimizer):
                variables += value.variables
    return variables


def attributes(layer: Layer) -> Iterator[tuple[str, Any]]:
    """Yield a layer's or model's attributes; of lists, tuples and dicts the values in them."""
    for name, value in vars(layer).items():
        if is_tracking_attribute(name):
            continue
        if isinstance(value, dict):
            yield from ((f"{name}[{key!r}]", part) for key, part in value.items())
        elif isinstance(value, list | tuple):
            yield from ((f"{name}[{index}]", part) for index, part in enumerate(value))
        else:
            yield name, value


def _is_numeric(variable: tf.Variable) -> bool:
    dtype = variable.dtype
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool or dtype.is_complex)
