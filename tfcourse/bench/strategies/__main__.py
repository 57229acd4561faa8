"""Print each strategy's regret on each problem: ``python -m tfcourse.bench.strategies 40``."""

import sys
from typing import Any

import numpy as np

from tfcourse.bench.strategies.problems import PROBLEMS, Problem, load_problem
from tfcourse.search.config.strategy_tables import STRATEGIES as TABLES
from tfcourse.search.config.strategy_tables import CoarseToFineTable
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.strategies.study import Memo, Study

__all__ = ["BUDGETS", "play"]

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


def main(seeds: int) -> None:
    """Print medians, quartiles and the share of seeds that are better than random search."""
    places = [budget - 1 for budget in BUDGETS]
    for title in PROBLEMS:
        problem, random = load_problem(title), None
        for name in NAMES:
            found = np.array([play(problem, name, seed, BUDGETS[-1]) for seed in range(seeds)])
            found = found[:, places]
            random = found if random is None else random
            low, middle, high = np.quantile(found, [0.25, 0.5, 0.75], axis=0)
            better = np.mean((found < random) + 0.5 * (found == random), axis=0)
            cells = (
                f"{m:.3f} [{a:.3f}, {b:.3f}] {share:4.0%}"
                for a, m, b, share in zip(low, middle, high, better, strict=True)
            )
            print(f"{title:9} {name:15}", "  ".join(cells), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
