"""The Pareto set of the trials of several searches together."""

from collections.abc import Sequence

import numpy as np

from tfcourse.formulas.pareto import non_dominated
from tfcourse.search.records.pareto import values_of
from tfcourse.search.results.search_record import SearchRecord

__all__ = ["joint_lines", "joint_pareto_set"]


def joint_pareto_set(records: Sequence[SearchRecord]) -> list[list[int]]:
    """Return the trials of each search that no trial of any of them dominates.

    Without trials where the searches do not have the same objectives, or only one.
    """
    objectives = list(records[0].objectives)
    sets = [record.pareto_set for record in records]
    if len(objectives) == 1 or any(list(r.objectives) != objectives for r in records):
        return [[] for _ in records]
    trials = [(place, trial) for place, each in enumerate(sets) for trial in each]
    losses = [
        [o.loss(value) for o, value in zip(objectives, values_of(trial, objectives), strict=True)]
        for _, trial in trials
    ]
    joint = [trials[row] for row in np.flatnonzero(non_dominated(losses))]
    return [[trial.trial for other, trial in joint if other == place] for place in range(len(sets))]


def joint_lines(names: Sequence[str], records: Sequence[SearchRecord]) -> list[str]:
    """Return a line with the trials of each search in the joint Pareto set, if there is one."""
    joint = joint_pareto_set(records)
    if not any(joint):
        return []
    parts = [
        f"{name} {', '.join(map(str, trials)) or 'none'}"
        for name, trials in zip(names, joint, strict=True)
    ]
    return [f"Trials in the Pareto set of all: {'; '.join(parts)}."]
