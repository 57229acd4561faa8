"""Pruning: a trial ends at an epoch at which it is behind the trials before it.

The rules are those of Optuna's `SuccessiveHalvingPruner` (asynchronous successive halving, Li et
al. 2020) and `MedianPruner` (Golovin et al. 2017). The value of a trial after an epoch is the score
that it would have if it ended there. By default that is the best one so far, and a trial that leads
is never pruned; it is another one with ``[search] score_at``.

A trial of several trainings (folds, repeats) is compared after the epochs of its first training,
and then at the end of each one, when its value is the mean of their scores so far. So trials are
compared on the same folds, and one whose second training has just begun is not taken for a bad one.
(To report that mean after each fold is what Optuna's maintainers advise; its callbacks for LightGBM
and XGBoost look at the epochs of the first fold alone.) Its epochs are counted through all its
trainings: a comparison after 27 epochs is made at the end of the second training of 20.

The trials run in batches, and a trial is compared with those before its batch, which have all
ended. Which ones they are follows from its number alone. So its limits are known before it begins,
and are the same for any number of workers, interrupted or not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tfcourse.search.records.score_at import BEST, scores_by_epoch
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

    def compares(self, after: int, until: int) -> bool:
        """Return True if trials are compared after n epochs, for an n with after < n <= until."""
        rung = self.min_epochs
        while rung <= after:
            rung *= self.reduction_factor
        return rung <= until

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

    def compares(self, after: int, until: int) -> bool:
        """Return True if trials are compared after n epochs, for an n with after < n <= until."""
        beyond = max(after - self.warmup_epochs, 0)
        intervals = math.ceil(beyond / self.interval)
        return self.warmup_epochs + 1 + intervals * self.interval <= until

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
        epochs: The epochs of each of its trainings.
        by_epoch: The limits of its first training by epoch, from 1.
        trainings: The number of its trainings if it is not pruned.
        by_training: The limits of the mean of its scores by the number of trainings so far.
        shifts: The estimated difference of the mean of all its scores to that of its first n, by
            n: the mean difference in the completed trials that it is compared with. A fold may be
            easier than others, and strategies learn from pruned trials too.
        score_at: The epochs that a score is of.
    """

    objective: str
    direction: str
    epochs: int
    by_epoch: Mapping[int, Limit] = field(default_factory=dict)
    trainings: int = 1
    by_training: Mapping[int, Limit] = field(default_factory=dict)
    shifts: Mapping[int, float] = field(default_factory=dict)
    score_at: str = BEST

    def verdict(self, scores: Sequence[float]) -> str | None:
        """Return the reason for which a trial is pruned in its first training; None if it is not.

        Args:
            scores: The objective of each of its epochs so far.
        """
        epoch = len(scores)
        if (limit := self.by_epoch.get(epoch)) is None:
            return None
        score = float(scores_by_epoch(scores, self.direction, self.score_at)[-1])
        return self._verdict(score, f"by epoch {epoch}", limit)

    def verdict_of_trainings(self, scores: Sequence[float]) -> str | None:
        """Return the reason for which a trial is pruned after a training; None if it is not.

        Args:
            scores: The scores of its trainings so far.
        """
        count = len(scores)
        if (limit := self.by_training.get(count)) is None:
            return None
        return self._verdict(
            float(np.mean(scores)), f"after {count} of {self.trainings} trainings", limit
        )

    def _verdict(self, value: float, when: str, limit: Limit) -> str | None:
        is_behind = value < limit.value if self.direction == "max" else value > limit.value
        if not is_behind:
            return None
        return f"{self.objective} {value:.4g} {when} {limit.verdict}: {limit.value:.4g}."


@dataclass(frozen=True)
class Pruning:
    """The pruning of a search.

    Attributes:
        rule: The rule.
        parallel: The number of trials of a batch.
        objective: The name of the score.
        direction: ``"max"`` or ``"min"``.
        trainings: The number of trainings of a trial.
        score_at: The epochs that a score is of.
    """

    rule: Asha | Median
    parallel: int
    objective: str
    direction: str
    trainings: int = 1
    score_at: str = BEST

    def compared(self, trial: int) -> range:
        """Return the trials that a trial is compared with: those before its batch.

        The first ``startup_trials`` are compared with none.
        """
        return range(first_of_batch(trial, self.rule.startup_trials, self.parallel))

    def limits(self, trial: int, epochs: int, records: Mapping[int, TrialRecord]) -> TrialLimits:
        """Return the limits of a trial, none after the last epoch of its last training.

        Args:
            trial: The trial's number.
            epochs: The epochs of each of its trainings if it is not pruned.
            records: The records of the trials that it is compared with, and perhaps of others.
        """
        others = [records[number] for number in self.compared(trial)]
        others = [record for record in others if record.comparable_status in self.rule.statuses]
        curves = [
            self._sign * scores_by_epoch(curve, self.direction, self.score_at)
            for record in others
            for curve in self._first_curve(record)
        ]
        by_epoch, by_training = {}, {}
        for epoch in range(1, epochs):
            if self.rule.compares(epoch - 1, epoch):
                losses = [float(curve[epoch - 1]) for curve in curves if len(curve) >= epoch]
                by_epoch[epoch] = self._limit(losses)
        for count in range(1, self.trainings):
            # The epochs of the first one before its last have been compared.
            if self.rule.compares(max(count - 1, 1) * epochs - (count == 1), count * epochs):
                scores = (r.scores[:count] for r in others if len(r.scores) >= count)
                losses = [self._sign * float(np.mean(own)) for own in scores]
                by_training[count] = self._limit(losses)
        return TrialLimits(
            self.objective,
            self.direction,
            epochs,
            {epoch: limit for epoch, limit in by_epoch.items() if limit is not None},
            self.trainings,
            {count: limit for count, limit in by_training.items() if limit is not None},
            self._shifts(others),
            self.score_at,
        )

    def _shifts(self, others: Sequence[TrialRecord]) -> dict[int, float]:
        scores = np.array([r.scores for r in others if r.comparable_status == "completed"])
        if self.trainings == 1 or not len(scores):
            return {}
        wholes = scores.mean(axis=1)
        counts = range(1, self.trainings)
        return {n: float(np.mean(wholes - scores[:, :n].mean(axis=1))) for n in counts}

    @property
    def _sign(self) -> float:
        return 1.0 if self.direction == "min" else -1.0

    def _limit(self, losses: Sequence[float]) -> Limit | None:
        limit = self.rule.limit(losses)
        return None if limit is None else Limit(self._sign * limit[0], limit[1])

    def _first_curve(self, record: TrialRecord) -> list[Sequence[float | None]]:
        """Return the objective by epoch of a trial's first training, in a list; [] if unknown."""
        first = record.curves[:1] or [record.history.get(self.objective, [])]
        return [curve for curve in first if len(curve)]
