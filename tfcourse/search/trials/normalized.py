"""Normalized data for the training, and the normalization as first layers of its result."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.layers import Rescaling

from tfcourse.data.scaling import Scaling, fit_scaling
from tfcourse.data.splits import Split
from tfcourse.models.saving import save_model
from tfcourse.search.config.search_config import SearchConfig

__all__ = ["ScaledModel", "normalize", "with_scaling"]


def normalize(split: Split, config: SearchConfig) -> tuple[Split, Scaling | None]:
    """All three sets scaled by what the train set says, and that scaling; None if none is asked."""
    how = config.data.normalize
    if how == "none":
        return split, None
    scaling = fit_scaling(split.train.x, how)
    return scaling.apply_to(split), scaling


def with_scaling(model: Any, scaling: Scaling | None, shape: tuple[int, ...]) -> Any:
    """The trained model with the scaling in front: it takes examples as the source gives them.

    The result is compiled as the model is, so that it can be evaluated; the layers are shared.
    Of a scaling in float64 the input and its first two layers are float64 as well.
    """
    if scaling is None:
        return model
    # Not keras.layers.Normalization: it divides by 1e-7 at least, and keeps the scale squared.
    # Not Keras's next names: they could be the model's own, and two of a stack must not share one.
    offset, factor = -scaling.shift, 1 / scaling.scale
    wide = scaling.shift.dtype == np.float64
    # Of a list Keras makes float32 first.
    given = [v if wide else v.tolist() for v in (offset, factor)]
    dtype = "float64" if wide else None
    shift = Rescaling(1.0, offset=given[0], name=f"{model.name}_shift", dtype=dtype)
    scale = Rescaling(given[1], name=f"{model.name}_scale", dtype=dtype)
    inputs = keras.Input(shape, dtype=dtype)
    whole = keras.Sequential([inputs, shift, scale, model], name=model.name)
    whole.compile_from_config(model.get_compile_config())
    return whole


@dataclass(frozen=True)
class ScaledModel:
    """A trained model that gets its scaling when it is saved: it keeps a trace of each one.

    Attributes:
        model: The model.
        scaling: How its examples were normalized.
        shape: The shape of one.
    """

    model: Any
    scaling: Scaling
    shape: tuple[int, ...]

    def save(self, path: Path) -> None:
        """Saves it with the scaling in front."""
        save_model(with_scaling(self.model, self.scaling, self.shape), path)
