"""The folds of cross-validation."""

from dataclasses import replace

import numpy as np

from tfcourse.data.splits import Split, joined, shuffled_classes
from tfcourse.errors import InputError
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.targets import as_labels

__all__ = ["check_folds", "fold_split"]


def fold_split(split: Split, config: SearchConfig, fold: int) -> Split:
    """Return the split whose dev set is fold number ``fold`` of train and dev set together.

    The examples of each class are dealt to the folds in turn, in an order that depends on
    ``[data] seed`` and the class. The test set stays the same; with one fold all sets do.
    """
    folds = config.training.folds
    if folds == 1:
        return split
    both = joined(split.train, split.dev)
    y = both.y
    order = np.concatenate(
        list(shuffled_classes(as_labels(y, config.targets), config.data.seed + 1))
    )
    fold_of = np.empty(len(order), dtype=np.int64)
    fold_of[order] = np.arange(len(order)) % folds
    return replace(split, train=both.rows(fold_of != fold), dev=both.rows(fold_of == fold))


def check_folds(split: Split, folds: int, origin: str) -> None:
    """Raise InputError if there are fewer examples than folds.

    Args:
        split: The data.
        folds: The number of folds.
        origin: Names the config in the message.
    """
    examples = split.train.count + split.dev.count
    if folds > examples:
        raise InputError(
            f"{origin}: [training] folds must be <= {examples}, the examples in train and dev. "
            f"Received: {folds}."
        )
