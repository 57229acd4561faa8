"""The regret of each strategy on each problem, beside that of Optuna's samplers."""

import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from tfcourse.bench.strategies.contenders import (
    CONTENDERS,
    OPTUNA,
    missing_packages,
    new_player,
)
from tfcourse.bench.strategies.problems import PROBLEMS, Problem, load_problem
from tfcourse.bench.strategies.results import (
    Game,
    Results,
    as_entry,
    mean_ranks,
    regrets_after,
    share_better,
)
from tfcourse.bench.table import Figures

__all__ = ["BUDGETS", "bench", "play", "problem_table", "summary_table"]

BUDGETS = (12, 24, 48, 96)
NAMES = (*CONTENDERS, *OPTUNA)
# Contenders whose time for a proposal grows so much that they play fewer trials.
MOST_TRIALS = {"optuna GP": 48}
# The problem whose regrets are in the summary: real trainings of five hyperparameters.
REAL = "digits"
DASH = "–"


def play(problem: Problem, name: str, seed: int, trials: int) -> Game:
    """Return a contender's game: nothing is trained."""
    player = new_player(name, problem, seed, trials)
    regrets, seconds, best = list[float](), list[float](), np.inf
    for trial in range(trials):
        start = time.perf_counter()
        values = player.ask(trial)
        proposal_end = time.perf_counter()
        score = problem.score(values, seed, trial)
        score_end = time.perf_counter()
        player.tell(trial, values, score)
        seconds.append(time.perf_counter() - score_end + proposal_end - start)
        regrets.append(problem.regret(values) if score < best else regrets[-1])
        best = min(best, score)
    return Game(np.array(regrets), np.array(seconds))


def bench(repeats: int = 40) -> Iterator[Figures]:
    """Compare the regrets of the strategies and of Optuna's samplers; nothing is trained.

    What Optuna's samplers need and what is not installed is said, and they are left out.

    Args:
        repeats: The number of seeds.

    Yields:
        The games of each problem with `problem_table`, and in the end of all, with `summary_table`.
    """
    names = list[str]()
    for name in NAMES:
        missing = missing_packages(name)
        if missing:
            packages = " and ".join(missing)
            _say(f"Without {name}: {packages} can't be imported (pip install {' '.join(missing)}).")
        else:
            names.append(name)
    results: dict[str, dict[str, list[Game]]] = {name: {} for name in names}
    for title in PROBLEMS:
        problem = load_problem(title)
        for name in names:
            trials = min(BUDGETS[-1], MOST_TRIALS.get(name, BUDGETS[-1]))
            start = time.perf_counter()
            results[name][title] = [play(problem, name, seed, trials) for seed in range(repeats)]
            _say(f"{title}: {name}, {repeats} seeds in {time.perf_counter() - start:.0f} s")
        yield Figures(problem_table(results, title), as_entry(results, [title], BUDGETS))
    yield Figures(summary_table(results), as_entry(results, list(PROBLEMS), BUDGETS))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def problem_table(results: Results, title: str) -> Table:
    """Return a problem's median regrets with quartiles, and the shares of seeds better than random.

    Args:
        results: The games, those of random search among them.
        title: The problem's name.
    """
    seeds = len(results["random"][title])
    text = f"{title}: regret, median [quartiles] of {seeds} seeds; seeds better than random"
    table = Table(title=Text(text), title_justify="left")
    table.add_column("strategy")
    for budget in BUDGETS:
        table.add_column(f"{budget} trials", justify="right", no_wrap=True)
    for name, games in results.items():
        cells = []
        for budget in BUDGETS:
            regrets = regrets_after(games[title], budget)
            random = regrets_after(results["random"][title], budget)
            if regrets is None or random is None:
                cells.append(DASH)
                continue
            low, middle, high = np.quantile(regrets, [0.25, 0.5, 0.75])
            share = share_better(regrets, random)
            cells.append(f"{middle:.3f} [{low:.3f}, {high:.3f}] {share:.0%}")
        table.add_row(name, *map(Text, cells))
    return table


def summary_table(results: Results) -> Table:
    """Return a table of all problems together.

    After each budget the mean rank over problems and seeds (1 is the best) and the share of games
    with less regret than random search; the median regret on the surrogate of the digits; and the
    mean time of a proposal from trial 10 to 48.
    """
    titles = list(results["random"])
    seeds = len(results["random"][titles[0]])
    text = f"{len(titles)} problems, {seeds} seeds: mean rank and share better than random"
    table = Table(title=Text(text), title_justify="left")
    table.add_column("strategy")
    for budget in BUDGETS:
        table.add_column(f"{budget} trials", justify="right", no_wrap=True)
    if REAL in titles:
        table.add_column(f"{REAL}, regret after {_listed(BUDGETS[1:3])}", justify="right")
    table.add_column("ms a proposal", justify="right")
    ranks = {budget: mean_ranks(results, budget) for budget in BUDGETS}
    for name, games in results.items():
        cells = [
            f"{ranks[b][name]:.1f}, {_share(results, name, b):.0%}" if name in ranks[b] else DASH
            for b in BUDGETS
        ]
        if REAL in titles:
            regrets = [regrets_after(games[REAL], budget) for budget in BUDGETS[1:3]]
            cells.append(_listed([f"{np.median(r):.3f}" for r in regrets if r is not None]))
        times = np.concatenate([game.seconds[10:48] for own in games.values() for game in own])
        cells.append(f"{1e3 * times.mean():.1f}" if len(times) else DASH)
        table.add_row(name, *map(Text, cells))
    return table


def _share(results: Results, name: str, trials: int) -> float:
    shares = []
    for title, games in results[name].items():
        regrets = regrets_after(games, trials)
        random = regrets_after(results["random"][title], trials)
        if regrets is not None and random is not None:
            shares.append(share_better(regrets, random))
    return float(np.mean(shares))


def _listed(items: Sequence[object]) -> str:
    return ", ".join(map(str, items))
