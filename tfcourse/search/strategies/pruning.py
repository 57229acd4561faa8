"""Pruning: a trial ends at an epoch at which it is behind the trials before it.

The rules are those of Optuna's `SuccessiveHalvingPruner` (asynchronous successive halving, Li et
al. 2020) and `MedianPruner` (Golovin et al. 2017). The value of a trial after an epoch is the best
one so far, as its score is that of its best epoch: a trial that leads is never pruned.

The trials run in batches, and a trial is compared with those before its batch, which have all
ended. Which ones they are follows from its number alone. So its limits are known before it begins,
and are the same for any number of workers, interrupted or not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.strategies.batches import first_of_batch

__all__ = ["Asha", "Limit", "Median", "Pruning", "TrialLimits"]


@dataclass(frozen=True)
class Asha:
    """Asynchronous successive halving: at each rung about one in ``reduction_factor`` continues.

    A trial continues after ``min_epochs``, ``min_epochs * reduction_factor``,
    ``min_epochs * reduction_factor ** 2`` ... epochs if it is among the best
    ``max(1, n // reduction_factor)`` of the n trials, itself included, that have trained as long.
    Those that failed don't count.
    """

    reduction_factor: int = 3
    min_epochs: int = 1
    statuses = ("completed", "pruned")
    startup_trials = 0

    def compares(self, epoch: int) -> bool:
        """Return True if trials are compared after this number of epochs."""
        rung = self.min_epochs
        while rung < epoch:
            rung *= self.reduction_factor
        return rung == epoch

    def limit(self, losses: Sequence[float]) -> tuple[float, str] | None:
        """Return the largest loss with which a trial continues, and what a larger one is.

        Args:
            losses: The losses of the other trials after the same number of epochs.
        """
        count = len(losses) + 1
        best = max(1, count // self.reduction_factor)
        if len(losses) < best:
            return None
        place = f"among the best {best}" if best > 1 else "the best"
        return sorted(losses)[best - 1], f"is not {place} of {count} trials"


@dataclass(frozen=True)
class Median:
    """The median rule: a trial ends if it is worse than the median of the completed trials.

    They are compared after ``warmup_epochs + 1`` epochs and then after every ``interval`` epochs,
    if at least ``startup_trials`` completed trials have trained as long.
    """

    warmup_epochs: int = 0
    startup_trials: int = 5
    interval: int = 1
    statuses = ("completed",)

    def compares(self, epoch: int) -> bool:
        """Return True if trials are compared after this number of epochs."""
        beyond = epoch - 1 - self.warmup_epochs
        return beyond >= 0 and beyond % self.interval == 0

    def limit(self, losses: Sequence[float]) -> tuple[float, str] | None:
        """Return the largest loss with which a trial continues, and what a larger one is.

        Args:
            losses: The losses of the completed trials after the same number of epochs.
        """
        if len(losses) < max(1, self.startup_trials):
            return None
        return float(np.median(losses)), f"is worse than the median of {len(losses)} trials"


@dataclass(frozen=True)
class Limit:
    """The worst value with which a trial continues after an epoch.

    Attributes:
        value: The value.
        verdict: What a worse value is, such as ``"is not among the best 3 of 9 trials"``.
    """

    value: float
    verdict: str


@dataclass(frozen=True)
class TrialLimits:
    """The limits of one trial.

    Attributes:
        objective: The name of the score.
        direction: ``"max"`` or ``"min"``.
        epochs: The epochs of the trial if it is not pruned.
        by_epoch: The limits by epoch, from 1.
    """

    objective: str
    direction: str
    epochs: int
    by_epoch: Mapping[int, Limit] = field(default_factory=dict)

    def verdict(self, scores: Sequence[float]) -> str | None:
        """Return the reason for which a trial is pruned after its last epoch; None if it is not.

        Args:
            scores: The objective of each of its epochs so far.
        """
        epoch = len(scores)
        limit = self.by_epoch.get(epoch)
        if limit is None:
            return None
        best = max(scores) if self.direction == "max" else min(scores)
        is_behind = best < limit.value if self.direction == "max" else best > limit.value
        if not is_behind:
            return None
        return f"{self.objective} {best:.4g} by epoch {epoch} {limit.verdict}: {limit.value:.4g}."


@dataclass(frozen=True)
class Pruning:
    """The pruning of a search.

    Attributes:
        rule: The rule.
        parallel: The number of trials of a batch.
        objective: The name of the score.
        direction: ``"max"`` or ``"min"``.
    """

    rule: Asha | Median
    parallel: int
    objective: str
    direction: str

    def compared(self, trial: int) -> range:
        """Return the trials that a trial is compared with: those before its batch.

        The first ``startup_trials`` are compared with none.
        """
        return range(first_of_batch(trial, self.rule.startup_trials, self.parallel))

    def limits(self, trial: int, epochs: int, records: Mapping[int, TrialRecord]) -> TrialLimits:
        """Return the limits of a trial, none after its last epoch.

        Args:
            trial: The trial's number.
            epochs: Its epochs if it is not pruned.
            records: The records of the trials that it is compared with, and perhaps of others.
        """
        sign = 1.0 if self.direction == "min" else -1.0
        others = [records[number] for number in self.compared(trial)]
        curves = [
            np.minimum.accumulate(sign * np.asarray(record.history[self.objective]))
            for record in others
            if record.status in self.rule.statuses and self.objective in record.history
        ]
        limits = {}
        for epoch in filter(self.rule.compares, range(1, epochs)):
            losses = [float(curve[epoch - 1]) for curve in curves if len(curve) >= epoch]
            if (limit := self.rule.limit(losses)) is not None:
                limits[epoch] = Limit(sign * limit[0], limit[1])
        return TrialLimits(self.objective, self.direction, epochs, limits)
