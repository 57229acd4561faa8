"""Stratified train, dev and test sets (course 6.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfcourse.errors import InputError

if TYPE_CHECKING:  # the check of a config imports this module, and needs no NumPy
    import numpy as np
    import numpy.typing as npt

__all__ = ["Part", "Split", "stratified_split"]


@dataclass(frozen=True)
class Part:
    """Examples x of shape ``(m, ...)`` and their labels y of shape ``(m,)``."""

    x: "npt.NDArray[np.float32]"
    y: "npt.NDArray[np.int64]"


@dataclass(frozen=True)
class Split:
    """The three sets, and the number of classes in all of them."""

    train: Part
    dev: Part
    test: Part
    classes: int


def stratified_split(whole: Part, fractions: Sequence[float], classes: int, seed: int) -> Split:
    """Deals the examples of each class to train, dev and test by ``fractions``.

    Which example goes where comes from (seed, class) alone; each set keeps the original order.

    Args:
        whole: All examples.
        fractions: Shares of train, dev and test; they sum to 1.
        classes: The number of classes C; labels are 0 … C-1.
        seed: The seed of the split.

    Raises:
        InputError: A set would stay empty.
    """
    import numpy as np

    which = np.empty(len(whole.y), dtype=np.int64)
    edges = np.cumsum(fractions)[:-1]
    for label in range(classes):
        members = np.flatnonzero(whole.y == label)
        order = np.random.default_rng([seed, label]).permutation(members)
        for number, rows in enumerate(np.split(order, np.round(edges * len(members)).astype(int))):
            which[rows] = number
    train, dev, test = (Part(whole.x[which == n], whole.y[which == n]) for n in range(3))
    for name, part in (("train", train), ("dev", dev), ("test", test)):
        if len(part.y) == 0:
            raise InputError(
                f"split: the {name} set is empty. Received: {list(fractions)} of "
                f"{len(whole.y)} examples; give it a larger share or more data."
            )
    return Split(train, dev, test, classes)
