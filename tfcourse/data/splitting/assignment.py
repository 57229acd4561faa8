"""The assignment of rows to sets and to folds: by their classes, groups or times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError
from tfcourse.types import Array

__all__ = ["SET_NAMES", "RowKeys", "assign_sets", "fold_masks", "shuffled_classes"]

Numbers = npt.NDArray[np.int64]
SET_NAMES = ("train", "dev", "test")


@dataclass(frozen=True)
class RowKeys:
    """The class, group and time of each row, by which it is assigned; arrays of shape ``(m,)``.

    Attributes:
        strata: The class of each row, 0 … C-1, whose shares are to be the same in all sets; zeros
            if they need not be.
        groups: The group of each row, 0 … G-1, which stays in one set; None without groups.
        times: The time of each row, as its place 0 … T-1 among the times that differ. Earlier rows
            are in the earlier sets, and rows of one time in one set. None if they have no order.
    """

    strata: Numbers
    groups: Numbers | None = None
    times: Numbers | None = None


def assign_sets(keys: RowKeys, shares: Sequence[float], seed: int) -> Numbers:
    """Return the number of each row's set; sets have about ``shares`` of the rows, which sum to 1.

    - By class alone, the rows of each class are shuffled, by (seed, class), and cut at the shares:
      each set has its share of each class to within one row.
    - With groups, see `_assign_groups`: a set has its share to within one group.
    - With times, the rows in their order are cut at the shares, and a cut within one time is moved
      to the nearer end of it.

    Raises:
        InputError: A set would be empty, there are fewer groups than sets, or a group has more rows
            than any set.
    """
    count = len(keys.strata)
    if keys.times is not None:
        which = _cut_times(keys.times, np.cumsum(shares)[:-1] * count)
    elif keys.groups is not None:
        _check_groups(np.bincount(keys.groups), shares, count)
        which = _assign_groups(keys.groups, keys.strata, shares, seed)
    else:
        which = _cut_classes(keys.strata, shares, seed)
    for number, name in enumerate(SET_NAMES[: len(shares)]):
        if number not in which:
            raise InputError(
                f"split: the {name} set is empty. Received: {list(shares)} of "
                f"{count} examples; give it a larger share or more data."
            )
    return which


def fold_masks(
    keys: RowKeys, folds: int, fold: int, seed: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which rows are in the train and in the dev set of a fold.

    Each row is in the dev set of one fold and in the train sets of the others: the rows of each
    class are shuffled, by (seed, class), and dealt to the folds in turn; groups are assigned as to
    sets of equal shares. With times they are scikit-learn's ``TimeSeriesSplit``: the rows in their
    order are cut into ``folds + 1`` blocks, each but the first is the dev set of one fold, and all
    blocks before it are that fold's train set.

    Args:
        keys: The rows' keys.
        folds: The number of folds.
        fold: The number of this one, from 0.
        seed: The seed of the shuffles.

    Raises:
        InputError: There are fewer rows, groups or times than the folds need.
    """
    most, what = len(keys.strata), "the number of examples"
    if keys.times is not None:
        most, what = int(keys.times.max()), "one less than the number of times that differ"
    elif keys.groups is not None:
        most, what = int(keys.groups.max()) + 1, "the number of groups"
    if folds > most:
        raise InputError(f"folds must be <= {most}, {what} in train and dev. Received: {folds}.")
    if keys.times is not None:
        block = _time_blocks(keys.times, folds)
        return block <= fold, block == fold + 1
    if keys.groups is not None:
        fold_of = _assign_groups(keys.groups, keys.strata, [1 / folds] * folds, seed)
    else:
        order = np.concatenate(list(shuffled_classes(keys.strata, seed)))
        fold_of = np.empty(len(order), dtype=np.int64)
        fold_of[order] = np.arange(len(order)) % folds
    return fold_of != fold, fold_of == fold


def shuffled_classes(strata: Array, seed: int) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the rows of each class, from class 0 on, in an order drawn from (seed, class)."""
    for label in range(int(strata.max()) + 1):
        yield np.random.default_rng([seed, label]).permutation(np.flatnonzero(strata == label))


def _cut_classes(strata: Numbers, shares: Sequence[float], seed: int) -> Numbers:
    which = np.empty(len(strata), dtype=np.int64)
    edges = np.cumsum(shares)[:-1]
    for order in shuffled_classes(strata, seed):
        for number, rows in enumerate(np.split(order, np.round(edges * len(order)).astype(int))):
            which[rows] = number
    return which


def _assign_groups(groups: Numbers, strata: Numbers, shares: Sequence[float], seed: int) -> Numbers:
    """Return the number of each row's set, no group in two sets.

    One group after the other comes to the set that lacks most of its classes, each class counted
    as a share of its rows; the last groups to the sets that have none yet. Large groups come first,
    those of about one size, to a factor of 2, in an order drawn from the seed.
    """
    counts = np.zeros((int(groups.max()) + 1, int(strata.max()) + 1))
    np.add.at(counts, (groups, strata), 1)
    totals = counts.sum(axis=0)
    weights = 1 / np.maximum(totals, 1) ** 2
    missing = np.outer(shares, totals)  # the rows of each class that a set lacks
    order = np.random.default_rng(seed).permutation(len(counts))
    magnitude = np.floor(np.log2(np.maximum(counts.sum(axis=1), 1)))
    order = order[np.argsort(-magnitude[order], kind="stable")]
    set_of, empty = np.empty(len(counts), dtype=np.int64), np.ones(len(shares), dtype=bool)
    for remaining, group in zip(range(len(order), 0, -1), order, strict=True):
        gain = missing @ (counts[group] * weights)
        if empty.sum() == remaining:
            gain = np.where(empty, gain, -np.inf)
        set_of[group] = number = int(np.argmax(gain))
        missing[number] -= counts[group]
        empty[number] = False
    return set_of[groups]


def _check_groups(sizes: Numbers, shares: Sequence[float], count: int) -> None:
    if len(sizes) < len(shares):
        raise InputError(
            f"group: {len(sizes)} groups can't be in {len(shares)} sets. Name a column with more "
            "groups, or give a split of fewer sets."
        )
    largest, most = int(sizes.max()), max(shares) * count
    if largest > np.ceil(most):
        raise InputError(
            f"group: a group has {largest} of {count} examples, and the largest set of split "
            f"{list(shares)} about {round(most)}. Give that set a larger share, or name a column "
            "with smaller groups."
        )


def _cut_times(times: Numbers, edges: Array) -> Numbers:
    """Return the number of the part of each row, of the parts between edges, counted in rows."""
    ends = np.concatenate([[0], np.cumsum(np.bincount(times))])
    nearest = np.abs(ends[:, None] - np.asarray(edges)[None, :]).argmin(axis=0)
    return np.searchsorted(nearest, times, side="right").astype(np.int64)


def _time_blocks(times: Numbers, folds: int) -> Numbers:
    """Return the number of the block of each row: 0 to ``folds``, none of them empty."""
    count = len(times)
    size = count // (folds + 1)
    edges = count - size * np.arange(folds, 0, -1)
    block = _cut_times(times, edges)
    if len(np.unique(block)) <= folds:  # few times of very different numbers of rows
        block = times * (folds + 1) // (int(times.max()) + 1)
    return block
