"""The encoding of a table as the first layers of a model, which takes the table's columns."""

from collections.abc import Mapping

import keras
from keras.layers import CategoryEncoding, Concatenate, StringLookup

from tfcourse.data.tables.columns import NUMBERS, Column, input_name
from tfcourse.data.tables.encoding import TableEncoding
from tfcourse.search.trials.normalized_inputs import scaling_layers
from tfcourse.types import KerasModel, KerasTensor

__all__ = ["with_table_inputs"]


def with_table_inputs(model: KerasModel, encoding: TableEncoding) -> KerasModel:
    """Return the model behind the encoding of a table, not compiled; it takes a dict of columns.

    Texts are inputs of the type string, numbers of float32, or of float64 where float32 would
    merge them. A date is the number of days since 1970-01-01, a boolean 0 or 1. The layers are
    Keras's own, so that it loads where tfcourse is not installed.

    Args:
        model: The model, whose layers are shared.
        encoding: The encoding.
    """
    features = encoding.columns.features
    dtype = "float64" if encoding.is_wide else "float32"
    inputs = {
        input_name(column.name): keras.Input(
            (1,),
            dtype="string" if column.kind == "category" else dtype,
            name=input_name(column.name),
        )
        for column in features
    }
    by_name = {column.name: inputs[input_name(column.name)] for column in features}
    encoded = _encoded(model.name, encoding, by_name)
    return keras.Model(inputs, model(encoded), name=model.name)


def _encoded(
    name: str, encoding: TableEncoding, inputs: Mapping[str, KerasTensor]
) -> KerasTensor | dict[str, KerasTensor]:
    """Return what the model takes. Layers have names of their own, which the model's can't be."""
    columns = encoding.columns
    parts: list[KerasTensor] = []
    numbers = [columns.features[place].name for place in columns.numbers]
    if numbers:
        filled = [_filled(inputs[column], encoding.fills.get(column)) for column in numbers]
        dtype = "float64" if encoding.is_wide else "float32"
        block = filled[0]
        if len(filled) > 1:
            block = Concatenate(name=f"{name}_numbers", dtype=dtype)(filled)
        if encoding.scaling is not None:
            for layer in scaling_layers(encoding.scaling, name):
                block = layer(block)
        parts.append(block)
    for place in columns.categories("one_hot"):
        column = columns.features[place]
        index = _lookup(f"{name}_levels_{place}", column, encoding)(inputs[column.name])
        one_hot = CategoryEncoding(columns.size(column) + 1, "one_hot", name=f"{name}_hot_{place}")
        parts.append(one_hot(index)[:, 1:])  # without the place of an unknown level
    indices = {
        input_name(columns.features[place].name): _lookup(
            f"{name}_levels_{place}", columns.features[place], encoding
        )(inputs[columns.features[place].name])
        for place in columns.categories("index")
    }
    if not parts:
        return indices
    whole = parts[0] if len(parts) == 1 else Concatenate(name=f"{name}_columns")(parts)
    return {NUMBERS: whole, **indices} if indices else whole


def _filled(values: KerasTensor, fill: float | None) -> KerasTensor:
    if fill is None:
        return values
    filled: KerasTensor = keras.ops.where(keras.ops.isnan(values), fill, values)
    return filled


def _lookup(name: str, column: Column, encoding: TableEncoding) -> StringLookup:
    """Return the layer that gives a level of the train set its index, and others 0."""
    levels = [column.levels[place] for place in encoding.levels[column.name]]
    return StringLookup(vocabulary=levels, num_oov_indices=1, name=name)
