"""The problems that strategies are compared on, and that a game is the same twice."""

import sys

import numpy as np
import pytest

from tfcourse.bench.strategies import compare
from tfcourse.bench.strategies.compare import bench, play
from tfcourse.bench.strategies.contenders import OPTUNA, missing_packages, new_player
from tfcourse.bench.strategies.problems import PROBLEMS, Problem, load_problem
from tfcourse.bench.strategies.results import Game, mean_ranks, share_better
from tfcourse.bench.strategies.trainings import SPACES, read_trainings
from tfcourse.search.space.parameters import Choice, Range, fits
from tfcourse.search.space.sampling import sample


@pytest.mark.parametrize("name", SPACES)
def test_the_trainings_lie_in_their_space(name):
    trainings = read_trainings(name)
    assert len(trainings) >= 1500
    assert all(fits(values, SPACES[name], SPACES[name]) for values, _ in trainings)
    assert 0.05 < min(loss for _, loss in trainings) < 0.3


@pytest.mark.parametrize("name", ["digits", "branin", "hartmann 6", "bowl 10"])
def test_no_point_is_better_than_the_best(name):
    problem = load_problem(name)
    regrets = [problem.regret(sample(problem.space, 3, trial)) for trial in range(200)]
    assert min(regrets) > -0.02
    assert np.median(regrets) > 0.05
    assert set(PROBLEMS) >= {name}


def test_a_game_is_the_same_twice():
    problem = load_problem("bowl 2")
    games = [play(problem, "random", 1, 12).regrets for _ in range(2)]
    assert (games[0] == games[1]).all()


CONDITIONAL = {
    "kind": Choice(("a", "b")),
    "depth": Range("int", 2, 6, 2, when=(("kind", "a"),)),
    "rate": Range("float", 1e-4, 1.0, scale="log"),
}


@pytest.mark.parametrize("name", [name for name in OPTUNA if name != "optuna GP"])
def test_optunas_samplers_play_on_our_scales(name):
    """Values of the space, without inactive ones; the same from the same seed."""
    pytest.importorskip("optuna")
    if missing_packages(name):
        pytest.skip(f"{name} needs {missing_packages(name)}")
    problem = Problem("any", CONDITIONAL, lambda values: values["rate"], 0.0, 0.0)
    asked = []
    for _ in range(2):
        player = new_player(name, problem, 3, 16)
        asked.append([])
        for trial in range(16):
            values = player.ask(trial)
            player.tell(trial, values, problem.loss(values))
            asked[-1].append(values)
    assert asked[0] == asked[1]
    assert all(fits(values, CONDITIONAL, CONDITIONAL) for values in asked[0])
    assert all(("depth" in values) == (values["kind"] == "a") for values in asked[0])
    rates = np.log10([values["rate"] for values in asked[0]])
    assert rates.min() < -2 < rates.max()


def test_what_a_sampler_lacks_is_said_and_it_is_left_out(monkeypatch, capsys):
    monkeypatch.setattr(compare, "PROBLEMS", {"bowl 2": PROBLEMS["bowl 2"]})
    monkeypatch.setattr(compare, "NAMES", ("random", "optuna GP"))
    monkeypatch.setattr(compare, "missing_packages", lambda name: ["torch"] * ("GP" in name))
    *_, figures = bench(repeats=2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Without optuna GP: torch can't be imported (pip install torch)."
    assert lines[1].startswith("bowl 2: random, 2 seeds in ")
    assert list(figures.table.columns[0].cells) == ["random"]


def test_missing_packages(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert missing_packages("random") == []
    assert missing_packages("optuna TPE") == ["optuna"]


def test_the_tables_have_medians_quartiles_shares_and_ranks(monkeypatch):
    monkeypatch.setattr(compare, "PROBLEMS", {n: PROBLEMS[n] for n in ("bowl 2", "branin")})
    monkeypatch.setattr(compare, "NAMES", ("random", "quasi_random"))
    monkeypatch.setattr(compare, "BUDGETS", (3, 6))
    first, _, last = bench(repeats=5)
    table, summary = first.table, last.table
    assert [column.header for column in table.columns] == ["strategy", "3 trials", "6 trials"]
    ends = {
        name: {
            title: np.array([play(load_problem(title), name, s, 6).regrets[5] for s in range(5)])
            for title in ("bowl 2", "branin")
        }
        for name in compare.NAMES
    }
    for strategy in last.entry["strategies"]:
        own = ends[strategy["name"]]
        assert {t: r["6"] for t, r in strategy["regrets"].items()} == {
            t: list(regrets) for t, regrets in own.items()
        }
    ours, random = (ends[name]["bowl 2"] for name in ("quasi_random", "random"))
    low, middle, high = np.quantile(ours, [0.25, 0.5, 0.75])
    cells = [str(cell) for cell in table.columns[2].cells]
    assert cells[1] == f"{middle:.3f} [{low:.3f}, {high:.3f}] {np.mean(ours < random):.0%}"
    assert cells[0].endswith(" 50%")
    share = np.mean([np.mean(ends["quasi_random"][t] < ends["random"][t]) for t in ends["random"]])
    assert [str(cell) for cell in summary.columns[2].cells] == [
        f"{1 + share:.1f}, 50%",
        f"{2 - share:.1f}, {share:.0%}",
    ]


def test_a_contender_with_fewer_trials_has_no_rank_after_more():
    def games(*regrets):
        return [Game(np.array(row, dtype=float), np.zeros(len(row))) for row in regrets]

    results = {
        "random": {"p": games([3, 2], [3, 1])},
        "a": {"p": games([1, 1], [3, 0])},
        "b": {"p": games([2], [1])},
    }
    assert mean_ranks(results, 1) == {"random": 2.75, "a": 1.75, "b": 1.5}
    assert mean_ranks(results, 2) == {"random": 2.0, "a": 1.0}
    assert share_better(np.array([1.0, 2.0]), np.array([2.0, 2.0])) == 0.75
