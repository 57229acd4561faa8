"""The Pareto set, against its definition and against Optuna's."""

import math

import numpy as np
import optuna
from hypothesis import given
from hypothesis import strategies as st

from tfcourse.formulas.pareto import non_dominated

# Few values, so that many are equal.
VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.inf])
POINTS = st.integers(1, 3).flatmap(
    lambda count: st.lists(st.tuples(*[VALUES] * count), min_size=1, max_size=14)
)


def by_definition(points):
    """The points that no other is as good as everywhere, and better than somewhere."""
    points = np.array(points)
    dominated = [
        any((other <= point).all() and (other < point).any() for other in points)
        for point in points
    ]
    return [not each for each in dominated]


@given(POINTS)
def test_it_is_the_set_of_the_definition(points):
    assert non_dominated(points).tolist() == by_definition(points)


def test_it_is_optunas():
    rng = np.random.default_rng(3)
    points = rng.integers(0, 12, (60, 3)).astype(float)
    study = optuna.create_study(directions=["minimize"] * 3)
    study.add_trials([optuna.create_trial(values=list(point)) for point in points])
    best = {trial.number for trial in study.best_trials}
    assert {*np.flatnonzero(non_dominated(points)).tolist()} == best
    assert 1 < len(best) < 60


def test_many_points_of_few_objectives_and_none():
    points = np.random.default_rng(0).normal(size=(500, 2))
    assert non_dominated(points).tolist() == by_definition(points)
    assert non_dominated(points).dtype == bool
    assert non_dominated(np.empty((0, 2))).tolist() == []
