"""The epochs of a training that its score is of, ``[search] score_at``.

``"best"`` is the objective's best epoch, whose value is the luckiest of all: of n epochs that
differ by chance alone it is the largest of n draws. ``"last"`` is the last epoch, and
``"mean_last_K"`` the mean of the last K, or of all if there are fewer.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["BEST", "averaged_epochs", "is_score_at", "scores_by_epoch"]

BEST = "best"
_MEAN = re.compile(r"mean_last_([1-9][0-9]{0,5})")


def is_score_at(value: str) -> bool:
    """Return True for ``"best"``, ``"last"`` and ``"mean_last_K"`` with a whole K >= 1."""
    return value in (BEST, "last") or _MEAN.fullmatch(value) is not None


def averaged_epochs(score_at: str, epochs: int) -> int:
    """Return the number of epochs of which a score is the mean, for a training of ``epochs``."""
    match = _MEAN.fullmatch(score_at)
    return 1 if match is None else min(int(match[1]), epochs)


def scores_by_epoch(
    values: Sequence[float | None], direction: str, score_at: str = BEST
) -> npt.NDArray[np.float64]:
    """Return the score that a training would have if each epoch were its last one.

    Args:
        values: The objective by epoch; None, which is NaN here, for one that is not finite.
        direction: ``"max"`` or ``"min"``.
        score_at: The epochs that count.
    """
    objective = np.asarray(values, float)
    if score_at == BEST:
        extreme = np.maximum if direction == "max" else np.minimum
        return np.asarray(extreme.accumulate(objective))
    ends = range(1, len(objective) + 1)
    return np.array([objective[end - averaged_epochs(score_at, end) : end].mean() for end in ends])
