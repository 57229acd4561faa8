"""Stratified train, dev and test sets (course 6.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError
from tfcourse.types import Array

__all__ = ["Part", "Split", "shuffled_classes", "split_at", "stratified_split"]


@dataclass(frozen=True)
class Part:
    """Examples x of shape ``(m, ...)`` and their targets y.

    The targets are labels of shape ``(m,)``, or rows of numbers, ``(m, outputs)``. Examples are
    float32, or float64 where float32 would merge values and they are to be scaled.
    """

    x: npt.NDArray[np.floating[Any]]
    y: Array


@dataclass(frozen=True)
class Split:
    """The three sets, and the number of classes (of a regression: of outputs) in all of them.

    ``notes`` are warnings about the data, a line each.
    """

    train: Part
    dev: Part
    test: Part
    classes: int
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.train.x.shape[1:]


def stratified_split(whole: Part, fractions: Sequence[float], classes: int, seed: int) -> Split:
    """Split the examples of each class into train, dev and test by ``fractions``.

    The choice comes from (seed, class) alone; each set keeps the original order. Examples whose y
    is no label but a row of numbers are split as if all were of one class.

    Args:
        whole: All examples.
        fractions: Shares of train, dev and test; they sum to 1.
        classes: The number of classes C; labels are 0 … C-1. For rows of numbers, of outputs.
        seed: The seed of the split.

    Raises:
        InputError: A set would be empty.
    """
    labels = whole.y if whole.y.ndim == 1 else np.zeros(len(whole.y), dtype=np.int64)
    which = np.empty(len(whole.y), dtype=np.int64)
    edges = np.cumsum(fractions)[:-1]
    for order in shuffled_classes(labels, seed):
        for number, rows in enumerate(np.split(order, np.round(edges * len(order)).astype(int))):
            which[rows] = number
    train, dev, test = (Part(whole.x[which == n], whole.y[which == n]) for n in range(3))
    for name, part in (("train", train), ("dev", dev), ("test", test)):
        if len(part.y) == 0:
            raise InputError(
                f"split: the {name} set is empty. Received: {list(fractions)} of "
                f"{len(whole.y)} examples; give it a larger share or more data."
            )
    return Split(train, dev, test, classes)


def split_at(whole: Part, starts: tuple[int, int], classes: int) -> Split:
    """Split examples that are in the order train, dev, test before the rows ``starts``."""
    edges = (0, *starts, len(whole.y))
    train, dev, test = (
        Part(whole.x[first:last], whole.y[first:last]) for first, last in pairwise(edges)
    )
    return Split(train, dev, test, classes)


def shuffled_classes(labels: Array, seed: int) -> Iterator["npt.NDArray[np.intp]"]:
    """Yield the rows of each class, from class 0 on, in an order drawn from (seed, class)."""
    for label in range(int(labels.max()) + 1):
        yield np.random.default_rng([seed, label]).permutation(np.flatnonzero(labels == label))
