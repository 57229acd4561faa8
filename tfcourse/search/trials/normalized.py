"""Normalized data for a training, and the normalization as the first layers of its model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import keras

from tfcourse.data.input_scaling import InputScaling, fit_input_scaling
from tfcourse.data.nested import Arrays
from tfcourse.data.scaling import Method, Scaling, fit_scaling
from tfcourse.data.splits import Split
from tfcourse.data.streams.stream import Stream
from tfcourse.data.tables.encoding import TableEncoding, encoding_of_statistics, fit_encoding
from tfcourse.internals.models import compile_arguments, supports_jit
from tfcourse.models.saving import save_model
from tfcourse.search.trials.normalized_inputs import (
    input_dtype,
    scaling_layers,
    with_input_scaling,
)
from tfcourse.search.trials.normalized_streams import normalize_streams
from tfcourse.search.trials.table_inputs import with_table_inputs
from tfcourse.types import KerasModel

__all__ = ["AnyScaling", "Normalization", "ScaledModel", "normalize", "scaling_of", "with_scaling"]


Normalization = Method | Literal["none"]
# The scaling of one input, or of several, or the encoding of a table.
AnyScaling: TypeAlias = Scaling | InputScaling | TableEncoding


def normalize(
    split: Split, method: Normalization | Mapping[str, Normalization]
) -> tuple[Split, AnyScaling | None]:
    """Return all three sets scaled by the statistics of the train set, and the scaling.

    A table that is not a matrix of numbers is encoded, by what its train set holds.

    Args:
        split: The data.
        method: As `tfcourse.data.scaling.fit_scaling` takes it, or as `fit_input_scaling` does for
            several inputs; ``"none"`` returns the split itself and None.
    """
    if split.columns is not None and not split.is_encoded:
        statistics = split.columns.statistics
        if statistics is None:
            encoding = fit_encoding(split.columns, split.train.x, str(method))
        else:
            encoding = encoding_of_statistics(split.columns, statistics, str(method))
        return encoding.apply_to(split), encoding
    if method == "none":
        return split, None
    if isinstance(split.train, Stream):
        return normalize_streams(split, split.train, method)
    scaling = scaling_of(split.train.x, method)
    return split if scaling is None else scaling.apply_to(split), scaling


def scaling_of(x: Arrays, method: Any) -> AnyScaling | None:
    """Return the scaling of a train set; None if none of several inputs has any.

    Args:
        x: The examples, or a dict of those of each input.
        method: As for `normalize`.
    """
    if isinstance(x, Mapping):
        return fit_input_scaling(x, method)
    return fit_scaling(x, method)


def with_scaling(model: KerasModel, scaling: AnyScaling | None, shape: Any) -> KerasModel:
    """Return the trained model with the scaling in front, so that it takes unscaled examples.

    The result is compiled as the model is, so that it can be evaluated; the layers are shared.
    With a scaling in float64, the input and the first two layers are float64 as well.

    Args:
        model: The model.
        scaling: The scaling; None returns the model itself.
        shape: The shape of one example; a dict of them for several inputs.
    """
    if scaling is None:
        return model
    if isinstance(scaling, TableEncoding):
        whole = with_table_inputs(model, scaling)
    elif isinstance(scaling, InputScaling):
        whole = with_input_scaling(model, scaling, shape)
    else:
        inputs = keras.Input(shape, dtype=input_dtype(scaling))
        layers = scaling_layers(scaling, model.name)
        whole = keras.Sequential([inputs, *layers, model], name=model.name)
    if type(model).get_compile_config is not keras.Model.get_compile_config:
        whole.compile_from_config(model.get_compile_config())
        return whole
    # Not from Keras's config, in which functions are lost and Huber has no delta.
    optimizer = keras.optimizers.deserialize(keras.optimizers.serialize(model.optimizer))
    # On a GPU Keras compiles with XLA by default, but not with lookups of text in front.
    jit_compile = model.jit_compile and supports_jit(whole)
    changes = {"optimizer": optimizer, "jit_compile": jit_compile}
    whole.compile(**{**compile_arguments(model), **changes})
    whole.optimizer.build(whole.trainable_variables)
    return whole


@dataclass(frozen=True)
class ScaledModel:
    """A trained model that gets its scaling when it is saved.

    The model is used again, and each `with_scaling` leaves nodes in its graph.

    Attributes:
        model: The model.
        scaling: The scaling of its examples.
        shape: The shape of one example; a dict of them for several inputs.
    """

    model: KerasModel
    scaling: AnyScaling
    shape: Any

    def save(self, path: Path) -> None:
        """Save the model with the scaling in front."""
        save_model(with_scaling(self.model, self.scaling, self.shape), path)
