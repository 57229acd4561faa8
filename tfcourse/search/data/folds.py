"""The folds of cross-validation."""

from dataclasses import replace

import numpy as np

from tfcourse.data.nested import Arrays, count_of, map_arrays
from tfcourse.data.splits import Split, joined
from tfcourse.data.splitting.assignment import RowKeys, fold_masks
from tfcourse.errors import InputError
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.targets import as_labels

__all__ = ["check_folds", "fold_split"]


def fold_split(split: Split, config: SearchConfig, fold: int) -> Split:
    """Return the split whose dev set is fold number ``fold`` of train and dev set together.

    See `tfcourse.data.splitting.assignment.fold_masks`; the folds depend on ``[data] seed``. The
    test set stays the same; with one fold all sets do.
    """
    folds = config.training.folds
    if folds == 1:
        return split
    both = joined(split.train, split.dev)
    train, dev = fold_masks(_keys(split, both.y, config), folds, fold, config.data.seed + 1)
    return replace(split, train=both.rows(train), dev=both.rows(dev))


def check_folds(split: Split, config: SearchConfig) -> None:
    """Raise InputError if there are fewer examples, groups or times than folds."""
    folds = config.training.folds
    if folds == 1:
        return
    y = map_arrays(lambda *each: np.concatenate(each), split.train.y, split.dev.y)
    try:
        fold_masks(_keys(split, y, config), folds, 0, config.data.seed + 1)
    except InputError as error:
        raise InputError(f"{config.origin}: [training] {error}") from None


def _keys(split: Split, y: Arrays, config: SearchConfig) -> RowKeys:
    """Return the keys of the examples of train and dev, whose targets are y."""
    counts = config.data.stratify is not False
    strata = as_labels(y, config.targets) if counts else np.zeros(count_of(y), dtype=np.int64)
    return RowKeys(strata, split.groups, split.times)
