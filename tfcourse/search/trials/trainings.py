"""The trainings of a trial: one, or one for each fold of cross-validation and repeat."""

from collections.abc import Iterator
from dataclasses import dataclass

from tfcourse.search.space.sampling import trial_seed
from tfcourse.types import Hyperparameter, Hyperparameters

__all__ = ["Training", "trainings", "with_origin"]


@dataclass(frozen=True)
class Training:
    """One training of a trial.

    Attributes:
        fold: The fold that is its dev set, from 0.
        seed: The seed of its weights, dropout and shuffling.
        name: Names it in the message of a failure; empty if a trial has only one training.
    """

    fold: int
    seed: int
    name: str


def trainings(trial: int, seed: int, folds: int, repeats: int) -> Iterator[Training]:
    """Yield the trainings of a trial: the repeats of each fold.

    The first one has the seed that a trial's only training has.

    Args:
        trial: The trial's number.
        seed: The seed of the search.
        folds: The number of folds.
        repeats: The number of trainings on each fold.
    """
    for fold in range(folds):
        for repeat in range(repeats):
            parts = [f"fold {fold + 1} of {folds}"] * (folds > 1)
            parts += [f"repeat {repeat + 1} of {repeats}"] * (repeats > 1)
            name = f"({', '.join(parts)})" if parts else ""
            yield Training(fold, trial_seed(seed, trial, repeat, fold), name)


def with_origin(
    strategy: str, trial: int, values: Hyperparameters
) -> tuple[dict[str, Hyperparameter], int]:
    """Return a trial's values without its origin, and the origin: the trial whose seeds it has.

    That is the trial itself, except for a trial of Hyperband that continues another: it is the
    same training, run again for more epochs.
    """
    own = dict(values)
    return own, int(own.pop("continues", trial)) if strategy == "hyperband" else trial
