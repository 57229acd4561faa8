"""Losses as the values that a Gaussian process is fitted to."""

from collections.abc import Sequence

import numpy as np

from tfcourse.search.strategies.coordinates import Array

__all__ = ["robust_scores", "standard_scores"]

# The 10 % quantile of a normal distribution is this many standard deviations below its median.
TENTH = 1.2816
WORST = 3.0

# The first trials lie all over the space, later ones where the loss is small.
FIRST = 8
# From how many spreads above their median on losses count less, and at most how many they add.
FENCE, MOST = 2.0, 3.0


def robust_scores(losses: Sequence[float | None]) -> Array:
    """Return losses on a scale of mean 0 and variance 1, in which large ones matter less.

    ``z = (loss - median) / s`` with the spread s of the better half, such that the 10 % quantile
    of a normal distribution is -1.28. Above 1, z becomes ``1 + log z``, at most 3: how bad a bad
    trial is says little about where the best one lies. A failed trial, None, counts as the worst.

    Args:
        losses: At least one finite number, smaller is better, and None for those that failed.
    """
    values = _with_the_worst(losses)
    median = np.median(values)
    spread = float(median - np.quantile(values, 0.1)) / TENTH or float(values.std())
    if not spread > 0:
        return np.zeros(len(values))
    z = (values - median) / spread
    z = np.minimum(np.where(z > 1.0, 1.0 + np.log(np.maximum(z, 1.0)), z), WORST)
    return np.asarray((z - z.mean()) / z.std())


def standard_scores(losses: Sequence[float | None]) -> Array:
    """Return losses on a scale of mean 0 and variance 1, in which only very large ones matter less.

    ``z = (loss - median) / (median - smallest)``, both of the first 8 trials. Above 2, z becomes
    ``2 + log(z - 1)``, at most 5. Unlike by `robust_scores` the losses far from the best ones keep
    their differences, also after many trials near it: they tell where the slopes lead.

    Args:
        losses: As for `robust_scores`.
    """
    values = _with_the_worst(losses)
    median = np.median(values[:FIRST])
    spread = float(median - values[:FIRST].min()) or float(values.std())
    if not spread > 0:
        return np.zeros(len(values))
    z = (values - median) / spread
    beyond = np.log1p(np.maximum(z - FENCE, 0.0))
    z = np.where(z > FENCE, FENCE + np.minimum(beyond, MOST), z)
    return np.asarray((z - z.mean()) / z.std())


def _with_the_worst(losses: Sequence[float | None]) -> Array:
    """Return the losses with the largest one for those that failed."""
    values = np.array([np.nan if loss is None else loss for loss in losses], dtype=np.float64)
    return np.where(np.isnan(values), np.nanmax(values), values)
