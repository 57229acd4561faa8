"""Normalized data for a training, and the normalization as the first layers of its model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from keras.layers import Rescaling

from tfcourse.data.scaling import Scaling, fit_scaling
from tfcourse.data.splits import Split
from tfcourse.models.saving import save_model
from tfcourse.types import KerasModel

__all__ = ["Normalization", "ScaledModel", "normalize", "with_scaling"]


Normalization = Literal["none", "standardize", "min_max"]


def normalize(split: Split, method: Normalization) -> tuple[Split, Scaling | None]:
    """Return all three sets scaled by the statistics of the train set, and the scaling.

    Args:
        split: The data.
        method: As `tfcourse.data.scaling.fit_scaling` takes it; ``"none"`` returns the split
            itself and None.
    """
    if method == "none":
        return split, None
    scaling = fit_scaling(split.train.x, method)
    return scaling.apply_to(split), scaling


def with_scaling(model: KerasModel, scaling: Scaling | None, shape: tuple[int, ...]) -> KerasModel:
    """Return the trained model with the scaling in front, so that it takes unscaled examples.

    The result is compiled as the model is, so that it can be evaluated; the layers are shared.
    With a scaling in float64, the input and the first two layers are float64 as well.

    Args:
        model: The model.
        scaling: The scaling; None returns the model itself.
        shape: The shape of one example.
    """
    if scaling is None:
        return model
    # Not keras.layers.Normalization: it divides by at least 1e-7, and stores the squared scale.
    # Not Keras's automatic names: the model could have the same, and names must be unique.
    offset, factor = -scaling.shift, 1 / scaling.scale
    wide = scaling.shift.dtype == np.float64
    # Keras makes a list float32 first.
    constants = [v if wide else v.tolist() for v in (offset, factor)]
    dtype = "float64" if wide else None
    shift = Rescaling(1.0, offset=constants[0], name=f"{model.name}_shift", dtype=dtype)
    scale = Rescaling(constants[1], name=f"{model.name}_scale", dtype=dtype)
    inputs = keras.Input(shape, dtype=dtype)
    whole = keras.Sequential([inputs, shift, scale, model], name=model.name)
    whole.compile_from_config(model.get_compile_config())
    return whole


@dataclass(frozen=True)
class ScaledModel:
    """A trained model that gets its scaling when it is saved.

    The model is used again, and each `with_scaling` leaves nodes in its graph.

    Attributes:
        model: The model.
        scaling: The scaling of its examples.
        shape: The shape of one example.
    """

    model: KerasModel
    scaling: Scaling
    shape: tuple[int, ...]

    def save(self, path: Path) -> None:
        """Save the model with the scaling in front."""
        save_model(with_scaling(self.model, self.scaling, self.shape), path)
