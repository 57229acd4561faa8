"""Train, dev and test sets (course 6.2)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from tfcourse.data.nested import Arrays, count_of, map_arrays
from tfcourse.data.splitting.assignment import RowKeys, assign_sets
from tfcourse.data.tables.columns import Columns
from tfcourse.data.tables.table_options import ClassNames

__all__ = ["Part", "Split", "joined", "split_at", "split_by_sets", "stratified_split"]


@dataclass(frozen=True)
class Part:
    """Examples x of shape ``(m, ...)`` and their targets y.

    Several inputs or outputs are dicts of arrays by their names. The targets are labels of shape
    ``(m,)``, or rows of numbers, ``(m, outputs)``. Examples are float32, or float64 where float32
    would merge values and they are to be scaled.

    Attributes:
        x: The examples.
        y: Their targets.
        weight: The weight of each example in the loss, ``(m,)``, or a dict of them by output;
            None if all weigh the same.
    """

    x: Arrays
    y: Arrays
    weight: Arrays | None = None

    @property
    def count(self) -> int:
        """The number of examples."""
        return count_of(self.y)

    @property
    def shape(self) -> Any:
        """The shape of one example, a tuple; a dict of them by name for several inputs."""
        return map_arrays(lambda array: array.shape[1:], self.x)

    def rows(self, which: "npt.NDArray[np.generic] | slice") -> "Part":
        """Return some of the examples, by their indices, by a mask or by a slice."""

        def select(arrays: Arrays) -> Arrays:
            return map_arrays(lambda array: array[which], arrays)

        weight = None if self.weight is None else select(self.weight)
        return Part(select(self.x), select(self.y), weight)

    def with_x(self, function: Callable[[Any], Arrays]) -> "Part":
        """Return the set with the result of a function for x, which works on any rows of it."""
        return replace(self, x=function(self.x))


def joined(first: Part, second: Part) -> Part:
    """Return the examples of both sets, those of the first before those of the second."""

    def both(one: Arrays, other: Arrays) -> Arrays:
        return map_arrays(lambda a, b: np.concatenate([a, b]), one, other)

    weight = None if first.weight is None else both(first.weight, second.weight)
    return Part(both(first.x, second.x), both(first.y, second.y), weight)


@dataclass(frozen=True)
class Split:
    """The train, dev and test set.

    Attributes:
        train: The examples that models learn from.
        dev: Those that models are compared on.
        test: Those that the best model is measured on; None if there are none.
        classes: The number of classes, or of a regression's outputs, in all of them; a dict by
            name for several outputs.
        notes: Warnings about the data, a line each.
        columns: The columns of x, if it comes from a table in a file. If they are not all numbers,
            `tfcourse.data.tables.encoding.fit_encoding` makes of x what a model takes.
        class_names: The names of the classes; None if they are 0 … C-1.
        groups: The group of each example of train and dev, in this order, 0 … G-1; None without
            groups.
        times: The place of the time of each of them among the times that differ; None if the
            examples have no order.
    """

    train: Part
    dev: Part
    test: Part | None
    classes: Any
    notes: tuple[str, ...] = ()
    columns: Columns | None = None
    class_names: ClassNames | None = None
    groups: "npt.NDArray[np.int64] | None" = None
    times: "npt.NDArray[np.int64] | None" = None

    @property
    def is_encoded(self) -> bool:
        """True if a model takes x as it is; False for a table that is not a matrix of numbers."""
        return self.columns is None or self.columns.is_ready

    @property
    def shape(self) -> Any:
        """The shape of one example, a tuple; a dict of them by name for several inputs."""
        if self.columns is not None and not self.is_encoded:
            return self.columns.shape
        return self.train.shape

    @property
    def parts(self) -> dict[str, Part]:
        """The sets by name, without a test set if there is none."""
        parts = {"train": self.train, "dev": self.dev, "test": self.test}
        return {name: part for name, part in parts.items() if part is not None}

    def raw(self, part: Part) -> Part:
        """Return examples as the best model takes them: of a table, a dict of its columns."""
        if self.columns is None or self.is_encoded:
            return part
        return part.with_x(self.columns.raw)

    @property
    def raw_test(self) -> Part | None:
        """The test set as the best model takes it; None if there is none."""
        return None if self.test is None else self.raw(self.test)

    def map(self, function: Callable[[Part], Part]) -> "Split":
        """Return the split with the results of a function for each of its sets."""
        test = None if self.test is None else function(self.test)
        return replace(self, train=function(self.train), dev=function(self.dev), test=test)


def stratified_split(whole: Part, fractions: Sequence[float], classes: int, seed: int) -> Split:
    """Split the examples of each class into train, dev and test by ``fractions``.

    The choice comes from (seed, class) alone; each set keeps the original order. Examples whose y
    is no label but a row of numbers, or that of several outputs, are split as if all were of one
    class.

    Args:
        whole: All examples.
        fractions: Shares of train, dev and test, or of train and dev alone; they sum to 1.
        classes: The number of classes C; labels are 0 … C-1. For rows of numbers, of outputs.
        seed: The seed of the split.

    Raises:
        InputError: A set would be empty.
    """
    has_labels = not isinstance(whole.y, Mapping) and whole.y.ndim == 1
    labels = whole.y if has_labels else np.zeros(whole.count, dtype=np.int64)
    return split_by_sets(whole, assign_sets(RowKeys(labels), fractions, seed), classes)


def split_by_sets(whole: Part, sets: "npt.NDArray[np.integer[Any]]", classes: Any) -> Split:
    """Return the split of examples by the number of each one's set: 0 train, 1 dev, 2 test."""
    return _split_of([whole.rows(sets == number) for number in range(int(sets.max()) + 1)], classes)


def split_at(whole: Part, starts: Sequence[int], classes: Any) -> Split:
    """Split examples that are in the order train, dev, test before the rows ``starts``.

    One start, that of dev, splits them into train and dev alone.
    """
    edges = (0, *starts, whole.count)
    parts = [whole.rows(slice(first, last)) for first, last in pairwise(edges)]
    return _split_of(parts, classes)


def _split_of(parts: Sequence[Part], classes: Any) -> Split:
    train, dev, *test = parts
    return Split(train, dev, test[0] if test else None, classes)
