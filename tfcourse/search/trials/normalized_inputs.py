"""The normalization of several inputs as the first layers of a model."""

from collections.abc import Mapping

import keras
import numpy as np
from keras.layers import Rescaling

from tfcourse.data.input_scaling import InputScaling
from tfcourse.data.scaling import Scaling
from tfcourse.types import KerasModel, KerasTensor, Shape

__all__ = ["input_dtype", "scaling_layers", "with_input_scaling"]


def with_input_scaling(
    model: KerasModel, scaling: InputScaling, shapes: Mapping[str, Shape]
) -> KerasModel:
    """Return the model behind the scaling of its inputs, not compiled; it takes a dict of them.

    Args:
        model: The model, whose layers are shared.
        scaling: The scaling.
        shapes: The shape of one example of each input.
    """
    inputs = {
        name: keras.Input(shape, dtype=_dtype(scaling, name), name=name)
        for name, shape in shapes.items()
    }
    outputs = model({name: _scaled(model, scaling, name, value) for name, value in inputs.items()})
    return keras.Model(inputs, outputs, name=model.name)


def _dtype(scaling: InputScaling, name: str) -> str | None:
    """Return the type of an input; None for that of the dtype policy."""
    dtype = scaling.dtypes[name]
    return None if dtype == "float32" else dtype


def _scaled(model: KerasModel, scaling: InputScaling, name: str, value: KerasTensor) -> KerasTensor:
    of_input = scaling.by_input.get(name)
    if of_input is None:
        return value
    for layer in scaling_layers(of_input, f"{model.name}_{name}"):
        value = layer(value)
    return value


def input_dtype(scaling: Scaling) -> str | None:
    """Return the type of the input of a scaling; None for that of the dtype policy."""
    return "float64" if scaling.shift.dtype == np.float64 else None


def scaling_layers(scaling: Scaling, name: str) -> tuple[Rescaling, Rescaling]:
    """Return the two layers of a scaling, in float64 where the scaling is.

    Args:
        scaling: The scaling.
        name: Begins the layers' names. Not Keras's automatic names: the model could have the
            same, and names must be unique.
    """
    # Not keras.layers.Normalization: it divides by at least 1e-7, and stores the squared scale.
    wide = scaling.shift.dtype == np.float64
    # Keras makes a list float32 first.
    offset, factor = (
        value if wide else value.tolist() for value in (-scaling.shift, 1 / scaling.scale)
    )
    dtype = input_dtype(scaling)
    return (
        Rescaling(1.0, offset=offset, name=f"{name}_shift", dtype=dtype),
        Rescaling(factor, name=f"{name}_scale", dtype=dtype),
    )
