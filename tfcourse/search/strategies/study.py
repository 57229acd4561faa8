"""The study: everything that the values of trials depend on; and the form of a strategy."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfcourse.search.records.objective import Objective
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.discrete import Configuration
from tfcourse.search.space.parameters import Parameter
from tfcourse.search.strategies.pruning import Pruning
from tfcourse.types import Hyperparameters

__all__ = ["Memo", "Records", "Strategy", "Study", "by_quality", "no_dependencies"]

Records = Mapping[int, TrialRecord]


@dataclass(frozen=True)
class Study:
    """The part of a search's config that the values of its trials depend on.

    Attributes:
        strategy: The name of the strategy.
        settings: The strategy's own settings; None if it has none.
        space: The parameters by name.
        seed: The search's seed.
        direction: ``"max"`` or ``"min"``: the better end of the objective.
        trials: The number of trials asked for.
        epochs: The most epochs that a trial trains.
        start: Values of the first trials; the others of these trials are drawn.
        pruning: The pruning of trials; None if all train to their last epoch.
        objectives: The objectives, of which the first one is the score.
    """

    strategy: str
    settings: Any
    space: Mapping[str, Parameter]
    seed: int
    direction: str
    trials: int
    epochs: int
    start: Sequence[Hyperparameters] = ()
    pruning: Pruning | None = None
    objectives: Sequence[Objective] = ()


@dataclass
class Memo:
    """Results of earlier proposals of a study, kept to save time; they change no values.

    Attributes:
        first_missing: The first trial that is not known to have ended.
        boxes: Coarse to fine: the boxes of rounds by number.
        evidence: Coarse to fine: what the trials before a round say, by the round's number.
        batches: Gaussian process, Optuna: the values of batches by the number of their first trial.
        replay: Optuna: its study of the trials before a batch.
        draws: Discrete spaces: the values of the trials that draw some, by number.
        configurations: The configurations of ``draws``.
    """

    first_missing: int = 0
    boxes: dict[int, Any] = field(default_factory=dict)
    evidence: dict[int, Any] = field(default_factory=dict)
    batches: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    replay: Any = None
    draws: dict[int, dict[str, Any] | None] = field(default_factory=dict)
    configurations: set[Configuration] = field(default_factory=set)


def no_dependencies(study: Study, trial: int) -> range:
    """Return an empty range: the trial's values depend on no other trial."""
    return range(0)


@dataclass(frozen=True)
class Strategy:
    """A strategy, as two pure functions.

    Attributes:
        values: Returns the values of a trial from (study, trial, records, memo). All of the
            trial's dependencies are among the records.
        dependencies: Returns, from (study, trial), the trials whose records the values depend on.
    """

    values: Callable[[Study, int, Records, Memo], Hyperparameters]
    dependencies: Callable[[Study, int], range] = no_dependencies


def by_quality(records: Records, direction: str) -> tuple[list[TrialRecord], list[TrialRecord]]:
    """Return the trials with a finite score, best first (ties: earlier first), and the others.

    A pruned trial counts with its score so far, or with what it would be after all trainings. One
    that breaks a limit is among the others.
    """
    sign = -1 if direction == "max" else 1
    every = {trial: record.comparable_score for trial, record in records.items()}
    scores = {trial: score for trial, score in every.items() if score is not None}
    good = sorted(
        (trial for trial, score in scores.items() if math.isfinite(score)),
        key=lambda trial: (sign * scores[trial], trial),
    )
    others = sorted(records.keys() - {*good})
    return [records[trial] for trial in good], [records[trial] for trial in others]
