"""The gaps between the error rates of a project's data sets (course 6.3)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["ADVICE", "LEVELS", "NEGATIVE", "Gap", "difference_error", "gaps_between", "lead_error"]

# From the best error that is possible to the one that counts.
LEVELS = ("human", "train", "train_dev", "dev", "test")

# The gap between each level and the next one.
BIAS, VARIANCE = "avoidable bias", "variance"
MISMATCH, OVERFITTING = "data mismatch", "overfitting of the dev set"
_NAMES = (BIAS, VARIANCE, MISMATCH, OVERFITTING)

ADVICE = {
    BIAS: "a larger network, a longer training or a better optimizer (momentum, RMSprop, Adam), "
    "another architecture, a search for better hyperparameters",
    VARIANCE: "more training data or augmentation, regularization (L2, dropout, early stopping), "
    "a smaller or another architecture, a search for better hyperparameters",
    MISMATCH: "an error analysis of how dev differs from train, training data that is more like "
    "dev: collected, moved from dev, or synthesized (with enough variety: check_variety)",
    OVERFITTING: "a larger or a new dev set, and fewer decisions by the old one",
}

NEGATIVE = {
    BIAS: "train is below the human level: this bound is passed, so that only a better estimate "
    "of the best possible error tells what bias is left; or the model knows its train set by heart",
    VARIANCE: "train has more error than new data of its distribution: it was measured with "
    "dropout or augmentation, its labels are worse, or the sets are small",
    MISMATCH: "the dev data is easier than the training data",
    OVERFITTING: "the test data is easier than the dev data, or chance in small sets",
}


@dataclass(frozen=True)
class Gap:
    """The difference between the error rates of two levels.

    Attributes:
        names: The names of what it measures; several if levels between the two are unknown.
        start: The level with, as a rule, the smaller error.
        end: The level with the larger one.
        size: The error rate of ``end`` minus that of ``start``, in [-1, 1].
        standard_error: The standard error of ``size``; None without the sizes of the sets.
    """

    names: tuple[str, ...]
    start: str
    end: str
    size: float
    standard_error: float | None = None

    @property
    def name(self) -> str:
        """The names in one text, such as ``variance + data mismatch``."""
        return " + ".join(self.names)

    @property
    def is_uncertain(self) -> bool:
        """True if the gap is less than twice its standard error away from 0."""
        return self.standard_error is not None and abs(self.size) < 2 * self.standard_error


def gaps_between(errors: Mapping[str, float], sizes: Mapping[str, int]) -> tuple[Gap, ...]:
    """Return the gaps between neighbours among the known levels.

    Args:
        errors: The error rates of at least two levels.
        sizes: The numbers of examples of some of them; the errors of others count as exact.
    """
    levels = [level for level in LEVELS if level in errors]
    gaps = []
    for start, end in pairwise(levels):
        names = _NAMES[LEVELS.index(start) : LEVELS.index(end)]
        weights = {start: -1.0, end: 1.0}
        error = difference_error(errors, sizes, weights)
        gaps.append(Gap(names, start, end, errors[end] - errors[start], error))
    return tuple(gaps)


def difference_error(
    errors: Mapping[str, float], sizes: Mapping[str, int], weights: Mapping[str, float]
) -> float | None:
    """Return the standard error of ``Σ w_i p_i`` over independent sets; None without any size.

    ``√(Σ w_i² p̃_i (1-p̃_i)/(n_i+2))`` with ``p̃_i = (n_i p_i + 1)/(n_i + 2)``: one mistake and one
    right example are added to each set, so that 0 mistakes in 10 examples are no proof of 0.

    Args:
        errors: The error rates p.
        sizes: The numbers of examples n; a level without one counts as exact.
        weights: The factors w, for a difference 1 and -1.

    Source: Agresti and Caffo 2000, "Simple and Effective Confidence Intervals for Proportions and
    Differences of Proportions Result from Adding Two Successes and Two Failures".
    """
    terms = []
    for level, weight in weights.items():
        if level in sizes:
            size = sizes[level]
            rate = (size * errors[level] + 1) / (size + 2)
            terms.append(weight**2 * rate * (1 - rate) / (size + 2))
    return math.sqrt(sum(terms)) if terms else None


def lead_error(
    errors: Mapping[str, float], sizes: Mapping[str, int], pair: Sequence[Gap]
) -> float | None:
    """Return the standard error of the difference between two gaps, which may share a level."""
    weights: dict[str, float] = {}
    for sign, gap in zip((1, -1), pair, strict=True):
        for level, factor in ((gap.start, -sign), (gap.end, sign)):
            weights[level] = weights.get(level, 0) + factor
    return difference_error(errors, sizes, weights)
