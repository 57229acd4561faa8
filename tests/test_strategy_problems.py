"""The problems that strategies are compared on, and that a game is the same twice."""

import numpy as np
import pytest

from tfcourse.bench.strategies.__main__ import play
from tfcourse.bench.strategies.problems import PROBLEMS, load_problem
from tfcourse.bench.strategies.trainings import SPACES, read_trainings
from tfcourse.search.space.parameters import fits
from tfcourse.search.space.sampling import sample


@pytest.mark.parametrize("name", SPACES)
def test_the_trainings_lie_in_their_space(name):
    trainings = read_trainings(name)
    assert len(trainings) >= 1500
    assert all(fits(values, SPACES[name], SPACES[name]) for values, _ in trainings)
    assert 0.05 < min(loss for _, loss in trainings) < 0.3


@pytest.mark.parametrize("name", ["digits", "branin", "bowl 10"])
def test_no_point_is_better_than_the_best(name):
    problem = load_problem(name)
    regrets = [problem.regret(sample(problem.space, 3, trial)) for trial in range(200)]
    assert min(regrets) > -0.02
    assert np.median(regrets) > 0.05
    assert set(PROBLEMS) >= {name}


def test_a_game_is_the_same_twice():
    problem = load_problem("bowl 2")
    assert play(problem, "random", 1, 12) == play(problem, "random", 1, 12)
