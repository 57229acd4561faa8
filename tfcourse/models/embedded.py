"""Models of several flat inputs: numbers, and indices of levels, which are embedded.

TensorFlow is imported when a model is built, not with this module.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tfcourse.errors import InputError, shown
from tfcourse.models.blocks import flat_input, sequential

__all__ = ["InputShape", "embedding_width", "stacked"]

# The shape of one example, or a dict of those of its inputs by their names.
InputShape: TypeAlias = Sequence[int] | Mapping[str, Sequence[int]]
MOST = 50


def embedding_width(levels: int) -> int:
    """Return the numbers of the embedding of a category: half its levels, from 1 to 50.

    It is fastai's rule of 2018 for the columns of tables.
    """
    return max(1, min(MOST, (levels + 1) // 2))


def stacked(
    name: str, input_shape: InputShape, layers: Sequence[Any], levels: Mapping[str, int] | None
) -> Any:
    """Return the model of layers one after the other, behind flat inputs.

    Args:
        name: The model's name.
        input_shape: The shape of an example, or a dict of those of its inputs.
        layers: The layers.
        levels: The number of indices of each input that has an ``Embedding``, 0 for unknown levels
            among them; the others are numbers.

    Returns:
        An uncompiled ``keras.Sequential``; of a dict of inputs a ``keras.Model``, which takes a
        dict of them and joins them in their order.

    Raises:
        InputError: ``levels`` names what is no input.
    """
    levels = levels or {}
    inputs = input_shape if isinstance(input_shape, Mapping) else {}
    unknown = [key for key in levels if key not in inputs]
    if unknown:
        raise InputError(
            f"{name}: levels must name inputs of a dict, {shown([*inputs])}. Received: "
            f"{shown(unknown)}."
        )
    if not isinstance(input_shape, Mapping):
        return sequential(name, [*flat_input(input_shape), *layers])
    import keras

    tensors, parts = {}, []
    for key, shape in input_shape.items():
        dtype = "int32" if key in levels else None
        part = tensors[key] = keras.Input(tuple(shape), dtype=dtype, name=key)
        if key in levels:
            width = embedding_width(levels[key] - 1)
            part = keras.layers.Embedding(levels[key], width)(part)
        parts.append(keras.layers.Flatten()(part) if len(part.shape) > 2 else part)
    x = parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)
    for layer in layers:
        x = layer(x)
    return keras.Model(tensors, x, name=name)
