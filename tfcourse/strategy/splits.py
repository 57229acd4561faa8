"""The split for training data of another distribution than the data that counts (course 6.3)."""

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfcourse.data.frames import as_array
from tfcourse.errors import InputError, shown
from tfcourse.hyperparameters import is_number
from tfcourse.types import Array, TensorLike

__all__ = ["TrainDevSplit", "split_with_train_dev"]

Pair = tuple[Array, Array]


class TrainDevSplit(NamedTuple):
    """Four sets, each an (x, y).

    Attributes:
        train: The training set.
        train_dev: New data of the training distribution.
        dev: Data of the target distribution, to choose by.
        test: Data of the target distribution, to measure the choice once.
    """

    train: Pair
    train_dev: Pair
    dev: Pair
    test: Pair


def split_with_train_dev(
    source: tuple[TensorLike, TensorLike],
    target: tuple[TensorLike, TensorLike],
    *,
    train_dev: float = 0.05,
    dev: float = 0.5,
    test: float = 0.5,
    seed: int = 0,
) -> TrainDevSplit:
    """Split data of two distributions into train, train-dev, dev and test.

    Dev and test are of the target distribution alone, the one that counts. The training pool is
    all of the source and the rest of the target (of ``dev=0.25, test=0.25`` half of it, course
    6.5); ``train_dev`` is a share of this pool that is not trained on, so that its error tells
    variance from data mismatch, see `tfcourse.strategy.diagnose`. Every set has the classes in
    the proportions of its distribution, to rounding; the choice comes from (seed, distribution,
    class) alone, and each set keeps the order of the data, source first.

        sets = tfcourse.strategy.split_with_train_dev(source=(x, y), target=(x_dev, y_dev))
        print(tfcourse.strategy.diagnose_model(model, **sets._asdict()))

    Args:
        source: (x, y) of the plentiful data. Labels of shape ``(m,)`` that are whole numbers,
            bools or texts are classes; other targets are split at random.
        target: (x, y) of the data that counts, with the same shapes of x and y but for m.
        train_dev: The share of the training pool, in (0, 1).
        dev: The share of the target, in (0, 1).
        test: The share of the target, in [0, 1).
        seed: The seed of the split.

    Raises:
        InputError: A share is not admissible, the shapes differ, or a set would be empty.
    """
    if not is_number(seed, Integral) or seed < 0:
        raise InputError(
            f"split_with_train_dev: seed must be a whole number >= 0. Received: {shown(seed)}."
        )
    for name, share in (("train_dev", train_dev), ("dev", dev), ("test", test)):
        if not is_number(share) or not 0 <= share < 1 or (share == 0 and name != "test"):
            raise InputError(
                f"split_with_train_dev: {name} must be a share between 0 and 1. "
                f"Received: {shown(share)}."
            )
    if dev + test > 1 + 1e-9:
        raise InputError(
            "split_with_train_dev: dev and test are shares of target, at most 1 in sum. "
            f"Received: dev={dev}, test={test}."
        )
    (x_source, y_source), (x, y) = _pairs(source, target)
    pool_share = max(0.0, 1 - dev - test)
    of_source = _assign(y_source, (1 - train_dev, train_dev, 0, 0), seed, 0)
    shares = (pool_share * (1 - train_dev), pool_share * train_dev, dev, test)
    of_target = _assign(y, shares, seed, 1)
    sets = [
        (
            np.concatenate([x_source[of_source == n], x[of_target == n]]),
            np.concatenate([y_source[of_source == n], y[of_target == n]]),
        )
        for n in range(4)
    ]
    for name, share, (_, labels) in zip(
        TrainDevSplit._fields, (1, train_dev, dev, test), sets, strict=True
    ):
        if not len(labels) and share:
            raise InputError(
                f"split_with_train_dev: the {name} set is empty. Received: {len(y_source)} source "
                f"and {len(y)} target examples; give it a larger share or more data."
            )
    return TrainDevSplit(*sets)


def _pairs(*pairs: tuple[TensorLike, TensorLike]) -> Iterator[Pair]:
    """Return source and target as arrays of equal shapes but for the number of examples."""
    arrays = []
    for name, pair in zip(("source", "target"), pairs, strict=True):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError(
                f"split_with_train_dev: {name} must be (x, y). Received: {type(pair).__name__}."
            )
        x, y = (as_array(side, f"{part} of {name}") for part, side in zip("xy", pair, strict=True))
        if not x.ndim or not y.ndim or len(x) != len(y) or not len(y):
            raise InputError(
                f"split_with_train_dev: {name} must be (x, y) with one y for each of at least one "
                f"x. Received: shapes {x.shape} and {y.shape}."
            )
        arrays.append((x, y))
    for side, one, two in zip("xy", *arrays, strict=True):
        if one.shape[1:] != two.shape[1:]:
            raise InputError(
                f"split_with_train_dev: {side} of source and target must have the same shape but "
                f"for the number of examples. Received: {one.shape} and {two.shape}."
            )
        kinds = {one.dtype.kind, two.dtype.kind}
        if kinds & {*"US"} and kinds & {*"biuf"}:  # NumPy would make texts of the numbers
            raise InputError(
                f"split_with_train_dev: {side} of source and target must both be numbers, or both "
                f"texts. Received: {one.dtype} and {two.dtype}."
            )
    return iter(arrays)


def _assign(
    y: Array, shares: Sequence[float], seed: int, distribution: int
) -> npt.NDArray[np.int64]:
    """Return the number of the set of each example, drawn within each class."""
    is_class = y.ndim == 1 and y.dtype.kind in "iubUSO"
    try:
        names, labels = (
            np.unique(y, return_inverse=True) if is_class else ([None], np.zeros(len(y)))
        )
    except TypeError:
        raise InputError(
            f"split_with_train_dev: y of {('source', 'target')[distribution]} must be labels of "
            "one type, none of them missing. Received: objects that can't be sorted."
        ) from None
    which = np.empty(len(y), dtype=np.int64)
    edges = np.cumsum(shares)[:-1]
    for label in range(len(names)):
        rows = np.flatnonzero(labels == label)
        rows = np.random.default_rng([seed, distribution, label]).permutation(rows)
        ends = np.round(edges * len(rows)).astype(int)
        for number, part in enumerate(np.split(rows, ends)):
            which[part] = number
    return which
