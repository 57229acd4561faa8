"""The trials of a search as an Optuna study.

A choice is categorical. A range is a float or a whole number with its own step, and on a log scale
Optuna's distribution is too. Optuna has no scale for a β: it becomes 1-β on a log scale, under its
own name. Steps on a log scale, which Optuna does not have, are left out: the distribution is
continuous.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tfcourse.quiet import quiet_optuna
from tfcourse.search.records.objective import Objective
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.parameters import Choice, Parameter, Range, admits
from tfcourse.types import Hyperparameter

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

__all__ = ["as_study", "as_trials"]


def as_study(
    space: Mapping[str, Parameter],
    records: Iterable[TrialRecord],
    direction: str,
    name: str | None = None,
    storage: str | None = None,
    metric: str | None = None,
    others: Sequence[Objective] = (),
) -> "Study":
    """Return a new study of the trials, in memory by default.

    Args:
        space: The parameters by name.
        records: The trials.
        direction: ``"max"`` or ``"min"``.
        name: The name of the study.
        storage: The address of a database, such as ``sqlite:///study.db``.
        metric: The metric whose finite values by epoch are the trials' intermediate values; None
            for none. Those of a trial of several trainings in a search with pruning are what it
            was compared by: the epochs of its first training, and after each training the mean of
            the scores so far; they are numbered by the epochs of all trainings.
        others: Further objectives: the study has a direction for each.
    """
    import optuna

    with quiet_optuna():
        study = optuna.create_study(
            study_name=name,
            storage=storage,
            directions=[
                "maximize" if each == "max" else "minimize"
                for each in (direction, *(objective.direction for objective in others))
            ],
        )
        study.add_trials(as_trials(space, records, metric, others))
    return study


def as_trials(
    space: Mapping[str, Parameter],
    records: Iterable[TrialRecord],
    metric: str | None = None,
    others: Sequence[Objective] = (),
) -> "list[FrozenTrial]":
    """Return the trials as Optuna has them, in the order of their numbers.

    The user attributes ``trial``, ``seconds`` and ``message`` are those of the record. A value that
    the space does not admit, which an earlier version may have drawn, is left out. If some trials
    break a limit, ``limits`` is a constraint: 1 of those, and 0 of the completed ones.

    Args:
        space: The parameters by name.
        records: The trials.
        metric: As for `as_study`.
        others: As for `as_study`.
    """
    from optuna.trial import TrialState, create_trial

    records = sorted(records, key=lambda record: record.trial)
    distributions = {
        name: _distribution(p, [r.values[name] for r in records if name in r.values])
        for name, p in space.items()
    }
    states = {
        "completed": TrialState.COMPLETE,
        "infeasible": TrialState.COMPLETE,
        "pruned": TrialState.PRUNED,
    }
    is_limited = any(record.status == "infeasible" for record in records)
    trials = []
    for record in records:
        values = record.values
        names = [name for name in space if name in values and admits(space[name], values[name])]
        attributes: dict[str, Any] = {"trial": record.trial, "seconds": record.seconds}
        attributes |= {"message": record.message} if record.message else {}
        state = states.get(record.status, TrialState.FAIL)
        has_ended = state is TrialState.COMPLETE
        broken = {"limits": float(record.status == "infeasible")}
        trials.append(
            create_trial(
                state=state,
                values=_values(record, others) if has_ended else None,
                constraints=broken if is_limited and has_ended else None,
                params={name: _value(space[name], values[name]) for name in names},
                distributions={name: distributions[name] for name in names},
                user_attrs=attributes,
                intermediate_values=_by_epoch(record, metric),
            )
        )
    return trials


def _values(record: TrialRecord, others: Sequence[Objective]) -> list[float]:
    """Return a trial's value of each objective; one that is not known is the worst."""
    known = [(objective, record.value_of(objective)) for objective in others]
    worst = {"max": -math.inf, "min": math.inf}
    return [
        record.score or 0.0,
        *(worst[o.direction] if value is None else float(value) for o, value in known),
    ]


def _by_epoch(record: TrialRecord, metric: str | None) -> dict[int, float]:
    """Return the finite values of a metric by epoch, from 1, and the means after trainings."""
    if metric is None:
        return {}
    curves = record.curves or [record.history.get(metric, [])]
    values = dict(enumerate(curves[0], start=1))
    if len(curves) == len(record.scores):
        ends = enumerate(accumulate(map(len, curves)), start=1)
        values |= {end: math.fsum(record.scores[:count]) / count for count, end in ends}
    return {epoch: v for epoch, v in values.items() if v is not None and math.isfinite(v)}


def _distribution(parameter: Parameter, values: Iterable[Hyperparameter]) -> "BaseDistribution":
    """Return a parameter's distribution, without its steps if one of the values is on none.

    Such a value is one of the user's, for a first trial.
    """
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    low, high = parameter.low, parameter.high
    if parameter.scale == "one_minus_log":
        return FloatDistribution(1 - high, 1 - low, log=True)
    log = parameter.scale == "log"
    step = None if log or not all(_is_step(parameter, v) for v in values) else parameter.step
    if parameter.kind == "int":
        return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return FloatDistribution(low, high, log=log, step=step)


def _is_step(parameter: Range, value: Hyperparameter) -> bool:
    """Return True if a value is at one of a range's steps, or if the range has none."""
    if parameter.step is None or not admits(parameter, value):
        return True
    steps = (float(value) - parameter.low) / parameter.step
    return math.isclose(steps, round(steps), abs_tol=1e-6)


def _value(parameter: Parameter, value: Hyperparameter) -> Hyperparameter:
    """Return a value as Optuna has it, within the ends of its distribution after rounding."""
    if not isinstance(parameter, Range) or parameter.kind == "int":
        return value
    low, high, number = parameter.low, parameter.high, float(value)
    if parameter.scale == "one_minus_log":
        low, high, number = 1 - high, 1 - low, 1 - number
    return float(min(max(number, low), high))
