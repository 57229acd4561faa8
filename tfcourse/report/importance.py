"""The importance of hyperparameters, by Optuna's evaluators.

fANOVA (Hutter et al. 2014) fits a random forest to the scores, and gives a hyperparameter the share
of their variance over the space that it explains alone. The forest is fitted several times, each
time with another seed and to trials drawn with replacement: the spread of the shares says how much
of them is chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfcourse.quiet import quiet_optuna
from tfcourse.report.axes import Axis
from tfcourse.report.study import as_study
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.parameters import Choice, Parameter, Range

__all__ = ["FEWEST_TRIALS", "Importance", "importances"]

FEWEST_TRIALS = 8
# Forests, the trees of each, and the trials to which one is fitted: some seconds in all.
FORESTS, TREES, MOST_TRIALS = 12, 16, 200


@dataclass(frozen=True)
class Importance:
    """The importance of a hyperparameter.

    Attributes:
        name: The hyperparameter.
        share: The mean share of the variance that it explains, over the forests.
        low: The lowest share but a tenth.
        high: The highest share but a tenth.
        trials: The number of trials that have it.
    """

    name: str
    share: float
    low: float
    high: float
    trials: int


def importances(
    space: Mapping[str, Parameter], ranking: Sequence[TrialRecord], scores: Axis
) -> list[Importance]:
    """Return the importance of each hyperparameter that has several values, highest first.

    A conditional hyperparameter's is its share among the trials that have it, if they are enough.

    Args:
        space: The parameters by name.
        ranking: The completed trials.
        scores: The axis of the scores, whose positions are explained.
    """
    entries: dict[str, Importance] = {}
    records = [replace(r, score=scores.position(r.score)) for r in ranking]
    for group in _groups(space, records):
        trials = [r for r in records if all(name in r.values for name in group)]
        names = [n for n in space if all(n in r.values for r in trials) and _varies(n, trials)]
        if len(trials) < FEWEST_TRIALS or not names:
            continue
        shares = _shares({name: space[name] for name in names}, trials)
        for name in group:
            if name in names and len(shares):
                column = shares[:, names.index(name)]
                low, high = np.quantile(column, (0.1, 0.9))
                share = float(column.mean())
                entries[name] = Importance(name, share, float(low), float(high), len(trials))
    return sorted(entries.values(), key=lambda entry: -entry.share)


def _groups(
    space: Mapping[str, Parameter], records: Sequence[TrialRecord]
) -> list[tuple[str, ...]]:
    """Return the hyperparameters in groups that the same trials have."""
    groups: dict[frozenset[int], list[str]] = {}
    for name in space:
        holders = frozenset(r.trial for r in records if name in r.values)
        if holders:
            groups.setdefault(holders, []).append(name)
    return [tuple(names) for names in groups.values()]


def _varies(name: str, trials: Sequence[TrialRecord]) -> bool:
    return len({repr(trial.values[name]) for trial in trials}) > 1


def _shares(space: Mapping[str, Parameter], trials: Sequence[TrialRecord]) -> Any:
    """Return the shares of variance, (forests, parameters), each row of sum 1 at most.

    fANOVA integrates over values, whatever their scale: a range is passed on as its position on
    its scale, so that each decade counts the same.
    """
    from optuna.importance import FanovaImportanceEvaluator

    units: dict[str, Parameter] = {
        name: Choice(tuple(range(p.count))) if isinstance(p, Choice) else Range("float", 0.0, 1.0)
        for name, p in space.items()
    }
    moved = [replace(trial, values=_positions(space, trial)) for trial in trials]
    rows = []
    for seed in range(FORESTS):
        rng = np.random.default_rng((seed, len(trials)))
        places = rng.integers(len(moved), size=min(len(moved), MOST_TRIALS))
        study = as_study(units, [moved[place] for place in places], "min")
        try:
            with quiet_optuna():
                evaluator = FanovaImportanceEvaluator(n_trees=TREES, seed=seed)
                shares = evaluator.evaluate(study, params=[*space])
        except RuntimeError:  # all scores are the same, so that there is no variance to share
            continue
        rows.append([float(shares[name]) for name in space])
    return np.nan_to_num(np.array(rows))


def _positions(space: Mapping[str, Parameter], trial: TrialRecord) -> dict[str, Any]:
    """Return the place of each choice, and the position on its scale of each number."""
    return {
        name: p.values.index(trial.values[name])
        if isinstance(p, Choice)
        else p.unit_of(float(trial.values[name]))
        for name, p in space.items()
    }
