"""The data of a search as the arguments of `tfcourse.fit` and `tfcourse.evaluate`."""

from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from tfcourse.data.nested import array_items
from tfcourse.data.sparse import has_sparse
from tfcourse.data.splits import Part
from tfcourse.data.streams.sparse_stream import stream_of_sparse
from tfcourse.data.streams.stream import Stream
from tfcourse.training.data.arrays import Arrays

__all__ = ["LARGEST_BATCH", "Examples", "evaluation_arguments", "fit_arguments", "of_part"]

# The batch size for data that a model is only evaluated on.
LARGEST_BATCH = 1024

# A set of examples: tensors, or a stream of batches.
Examples: TypeAlias = Arrays | Stream


def of_part(part: Part) -> Examples:
    """Return a set as tensors; a stream as it is, and one with sparse inputs as a stream."""
    if isinstance(part, Stream):
        return part
    if has_sparse(part.x):
        return stream_of_sparse(part)
    return Arrays.of(part.x, part.y, part.weight)


def fit_arguments(
    train: Examples, dev: Examples, size: int, seed: int, dev_size: int
) -> dict[str, Any]:
    """Return the arguments of `tfcourse.fit` that are about the data.

    Both kinds are shuffled by (seed, epoch), unless a stream has an order of its own.

    Args:
        train: The train set.
        dev: The dev set.
        size: The batch size.
        seed: The seed of the shuffling.
        dev_size: The batch size of the dev set, if that is a stream.
    """
    arguments: dict[str, Any] = {}
    if isinstance(train, Stream):
        batches = train.of_size(size)
        arguments |= {"x": batches, "seed": None if batches.begin is None else seed}
    else:
        x, y, weight = train.parts
        arguments |= {"x": x, "y": y, "sample_weight": weight, "batch_size": size, "seed": seed}
    if isinstance(dev, Stream):
        return arguments | {"validation_data": dev.of_size(dev_size)}
    most = min(dev.count, LARGEST_BATCH)
    return arguments | {"validation_data": dev.data, "validation_batch_size": most}


def evaluation_arguments(part: Part, size: int) -> dict[str, Any]:
    """Return the arguments of `tfcourse.evaluate` for a set; ``size`` is a stream's batch size."""
    if isinstance(part, Stream):
        return {"x": part.of_size(size)}
    if has_sparse(part.x):
        return {"x": stream_of_sparse(part).of_size(LARGEST_BATCH)}
    # Arrays of float64 would become float32 before the model can scale them; texts among other
    # inputs are taken only in a dataset.
    if any(array.dtype in (np.float64, object) for _, array in array_items(part.x)):
        examples = (part.x, part.y) if part.weight is None else (part.x, part.y, part.weight)
        return {"x": tf.data.Dataset.from_tensor_slices(examples).batch(LARGEST_BATCH)}
    sides = {"x": part.x, "y": part.y, "sample_weight": part.weight}
    return {**sides, "batch_size": LARGEST_BATCH}
