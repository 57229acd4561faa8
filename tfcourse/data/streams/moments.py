"""Moments and ranges of the features of a stream, in one pass over its batches."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tfcourse.data.precision import is_constant
from tfcourse.data.scaling import Method, Scaling, fit_scaling
from tfcourse.data.streams.stream import Stream, batches_of
from tfcourse.types import Array

__all__ = ["stream_scaling", "streamed_moments"]

# The examples of a batch of the pass.
BATCH = 64


def stream_scaling(train: Stream, how: Method) -> Scaling:
    """Return what `tfcourse.data.scaling.fit_scaling` returns for all examples at once."""
    if how == "rescale":
        return fit_scaling(np.zeros((1, *train.shape), np.float32), how)
    batches = (np.asarray(batch[0]) for batch in batches_of(train.of_size(BATCH)))
    mean, std, low, high = streamed_moments(batches)
    shift, scale = (mean, std) if how == "standardize" else (low, high - low)
    constant = is_constant(low.astype(np.float32), high.astype(np.float32))
    shift, scale = np.where(constant, low, shift), np.where(constant, 1.0, scale)
    return Scaling(shift.astype(np.float32), scale.astype(np.float32))


def streamed_moments(batches: Iterable[Array]) -> tuple[Any, Any, Any, Any]:
    """Return mean, standard deviation, minimum and maximum of each entry of the last axis.

    In float64, with the update of Chan, Golub and LeVeque (1979): of n numbers with mean μ and sum
    of squares M, and m with ν and N,

        δ = ν - μ,  μ' = μ + δ m / (n + m),  M' = M + N + δ² n m / (n + m),  σ² = M / n.
    """
    count, mean, squares = 0, np.float64(0), np.float64(0)
    low, high = np.float64(np.inf), np.float64(-np.inf)
    for batch in batches:
        rows = np.asarray(batch, np.float64).reshape(-1, batch.shape[-1])
        number, of_batch = len(rows), rows.mean(axis=0)
        total, difference = count + number, of_batch - mean
        mean = mean + difference * number / total
        squares = squares + ((rows - of_batch) ** 2).sum(axis=0)
        squares = squares + difference**2 * count * number / total
        low, high = np.minimum(low, rows.min(axis=0)), np.maximum(high, rows.max(axis=0))
        count = total
    return mean, np.sqrt(squares / count), low, high
