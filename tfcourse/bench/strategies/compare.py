"""The regret of each strategy on each problem."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from rich.text import Text

from tfcourse.bench.strategies.problems import PROBLEMS, Problem, load_problem
from tfcourse.search.config.strategy_tables import STRATEGIES as TABLES
from tfcourse.search.config.strategy_tables import CoarseToFineTable
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.strategies.study import Memo, Study

__all__ = ["BUDGETS", "bench", "play"]

BUDGETS = (12, 24, 48, 96)
NAMES = ("random", "quasi_random", "halving", "coarse_to_fine", "gp")


def play(problem: Problem, name: str, seed: int, trials: int) -> list[float]:
    """Return the regret of the best trial by score after each trial; nothing is trained."""
    settings: Any = TABLES[name]() if name in TABLES else None
    strategy = name
    if name == "halving":
        strategy, settings = "coarse_to_fine", CoarseToFineTable(rule="halving")
    study = Study(strategy, settings, problem.space, seed, "min", trials, 1)
    records, memo, regrets = dict[int, TrialRecord](), Memo(), list[float]()
    best = np.inf
    for trial in range(trials):
        values = propose(study, trial, records, memo) or {}
        score = problem.score(values, seed, trial)
        records[trial] = TrialRecord(trial, "completed", values, score)
        regrets.append(problem.regret(values) if score < best else regrets[-1])
        best = min(best, score)
    return regrets


def bench(repeats: int = 40) -> Iterator[Table]:
    """Compare the strategies' regrets on each problem; nothing is trained.

    Args:
        repeats: The number of seeds.

    Yields:
        A table for each problem: the median regret over seeds with its quartiles, after each
        budget of trials, and the share of seeds with less regret than random search.
    """
    for title in PROBLEMS:
        yield _table(load_problem(title), repeats)


def _table(problem: Problem, seeds: int) -> Table:
    title = f"{problem.name}: regret, median [quartiles] of {seeds} seeds; seeds better than random"
    table = Table(title=title, title_justify="left")
    table.add_column("strategy")
    for budget in BUDGETS:
        table.add_column(f"{budget} trials", justify="right", no_wrap=True)
    random: npt.NDArray[np.float64] | None = None
    for name in NAMES:
        runs = [play(problem, name, seed, BUDGETS[-1]) for seed in range(seeds)]
        regrets = np.array(runs)[:, [budget - 1 for budget in BUDGETS]]
        random = regrets if random is None else random
        low, middle, high = np.quantile(regrets, [0.25, 0.5, 0.75], axis=0)
        better = np.mean((regrets < random) + 0.5 * (regrets == random), axis=0)
        cells = (
            f"{m:.3f} [{a:.3f}, {b:.3f}] {share:.0%}"
            for a, m, b, share in zip(low, middle, high, better, strict=True)
        )
        table.add_row(name, *map(Text, cells))
    return table
