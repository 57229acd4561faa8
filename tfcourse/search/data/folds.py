"""The trainings of a trial: one, or one a fold of cross-validation and repeat."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfcourse.data.splits import Part, Split, shuffled_classes
from tfcourse.errors import InputError
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.data.loading import as_labels
from tfcourse.search.space.sampling import trial_seed

__all__ = ["Training", "check_folds", "fold_split", "trainings", "with_origin"]


@dataclass(frozen=True)
class Training:
    """One training of a trial.

    Attributes:
        fold: The fold that is its dev set, from 0.
        seed: The seed of its weights, dropout and shuffling.
        name: What a failure calls it; nothing if a trial has one training only.
    """

    fold: int
    seed: int
    name: str


def trainings(config: SearchConfig, trial: int) -> Iterator[Training]:
    """Each fold, and in it each repeat; the first has the seed of a trial's only training."""
    folds, repeats = config.training.folds, config.training.repeats
    for fold in range(folds):
        for repeat in range(repeats):
            parts = [f"fold {fold + 1} of {folds}"] * (folds > 1)
            parts += [f"repeat {repeat + 1} of {repeats}"] * (repeats > 1)
            seed = trial_seed(config.search.seed, trial, repeat, fold)
            yield Training(fold, seed, f"({', '.join(parts)})" if parts else "")


def with_origin(
    config: SearchConfig, trial: int, values: Mapping[str, Any]
) -> tuple[dict[str, Any], int]:
    """A trial's values, and the trial whose seeds it has: its own, but where it continues one.

    Hyperband's trial that goes on with another is that run again, for longer.
    """
    own = dict(values)
    hyperband = config.search.strategy == "hyperband"
    return own, own.pop("continues", trial) if hyperband else trial


def fold_split(split: Split, config: SearchConfig, fold: int) -> Split:
    """The split whose dev set is fold number ``fold`` of train and dev together.

    The examples of each class are dealt to the folds in turn: which goes where comes from
    ``[data] seed`` and the class. The test set stays as it is, and with one fold everything does.
    """
    folds = config.training.folds
    if folds == 1:
        return split
    x = np.concatenate([split.train.x, split.dev.x])
    y = np.concatenate([split.train.y, split.dev.y])
    order = np.concatenate(
        list(shuffled_classes(as_labels(y, config.targets), config.data.seed + 1))
    )
    which = np.empty(len(y), dtype=np.int64)
    which[order] = np.arange(len(y)) % folds
    train, dev = (Part(x[rows], y[rows]) for rows in (which != fold, which == fold))
    return Split(train, dev, split.test, split.classes)


def check_folds(split: Split, config: SearchConfig) -> None:
    """Whether there are enough examples for the folds.

    Raises:
        InputError: A fold would stay empty.
    """
    examples = len(split.train.y) + len(split.dev.y)
    if config.training.folds > examples:
        raise InputError(
            f"{config.origin}: [training] folds must be <= {examples}, the examples in train and "
            f"dev. Received: {config.training.folds}."
        )
