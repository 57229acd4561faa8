"""The problems that strategies are compared on, and that a game is the same twice."""

import numpy as np
import pytest

from tfcourse.bench.strategies import compare
from tfcourse.bench.strategies.compare import bench, play
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


def test_the_table_has_medians_quartiles_and_shares_of_seeds(monkeypatch):
    monkeypatch.setattr(compare, "PROBLEMS", {"bowl 2": PROBLEMS["bowl 2"]})
    monkeypatch.setattr(compare, "NAMES", ("random", "quasi_random"))
    monkeypatch.setattr(compare, "BUDGETS", (3, 6))
    (table,) = bench(repeats=5)
    assert [column.header for column in table.columns] == ["strategy", "3 trials", "6 trials"]
    problem = load_problem("bowl 2")
    games = {n: [play(problem, n, seed, 6)[5] for seed in range(5)] for n in compare.NAMES}
    low, middle, high = np.quantile(games["quasi_random"], [0.25, 0.5, 0.75])
    better = np.mean(np.array(games["quasi_random"]) < np.array(games["random"]))
    cells = [str(cell) for cell in table.columns[2].cells]
    assert cells[1] == f"{middle:.3f} [{low:.3f}, {high:.3f}] {better:.0%}"
    assert cells[0].endswith(" 50%")
