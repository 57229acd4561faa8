"""Batches of a model's inputs, from data of any kind."""

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfcourse.data.frames import as_examples, is_scipy_sparse
from tfcourse.errors import InputError, shown
from tfcourse.hyperparameters import check
from tfcourse.types import KerasModel, Nested, TensorLike, TrainingData

__all__ = ["input_batches", "inputs_of"]


def input_batches(
    model: KerasModel, data: TrainingData, batch_size: int
) -> tuple[Iterable[Any], int | None]:
    """Return batches that can be iterated several times, and their number if it is known.

    Raises:
        InputError: The data is endless, can be iterated only once or is not arrays.
    """
    try:
        check("batch_size", batch_size, "recalibrate")
    except ValueError as error:
        raise InputError(str(error)) from None
    if (whole := _whole(model, data)) is not None:
        whole = tf.nest.map_structure(_array, whole)
        sizes = sorted({len(array) for array in tf.nest.flatten(whole)})
        if len(sizes) != 1:
            raise InputError(f"recalibrate: the inputs must be of one length. Received: {sizes}.")
        data = tf.data.Dataset.from_tensor_slices((whole,)).batch(batch_size)
    if isinstance(data, Iterator) or not isinstance(data, Iterable):
        raise InputError(
            "recalibrate: data must be arrays, or batches that can be iterated several times: for "
            f"a generator, list(generator). Received: {type(data).__name__}."
        )
    cardinality = getattr(data, "cardinality", lambda: operator.length_hint(data, -2))
    if (count := int(cardinality())) == tf.data.INFINITE_CARDINALITY:
        raise InputError("recalibrate: data must end. Received: an endless dataset; use take(n).")
    return data, None if count == tf.data.UNKNOWN_CARDINALITY else count


def _whole(model: KerasModel, data: TrainingData) -> Any:
    """Return the inputs if ``data`` is arrays, and None if it is batches of them."""
    several = isinstance(data, list | tuple) and data and all(map(_is_array, data))
    inputs = len(getattr(model, "inputs", None) or ())  # 0: a subclassed model does not say
    if several and len(data) == inputs:
        return tuple(data) if inputs > 1 else data[0]
    if isinstance(data, tuple):
        return _whole(model, data[0]) if data else None
    if several:
        return None if inputs == 1 else tuple(data)
    return data if _is_array(data) or isinstance(data, Mapping) else None


def _array(leaf: TensorLike) -> Any:
    return leaf if isinstance(leaf, tf.Tensor) else as_examples(leaf, "recalibrate: data")


def _is_array(data: TrainingData) -> bool:
    return (hasattr(data, "__array__") or is_scipy_sparse(data)) and np.ndim(data) > 0


def inputs_of(batch: Nested) -> Nested:
    """Return x of a batch that is x, (x, y) or (x, y, sample_weight).

    Raises:
        InputError: A part of the batch is no array.
    """
    x = keras.utils.unpack_x_y_sample_weight(batch)[0]
    for leaf in tf.nest.flatten(x):
        if not len(getattr(leaf, "shape", ())):
            raise InputError(
                "recalibrate: a batch must be arrays: x, (x, y) or (x, y, sample_weight). "
                f"Received: {shown(leaf)}."
            )
    return x
