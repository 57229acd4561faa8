"""The results of a comparison of strategies, and figures of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Game", "Results", "as_entry", "mean_ranks", "regrets_after", "share_better"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Game:
    """A contender's run on a problem with one seed.

    Attributes:
        regrets: The regret of the best trial by score after each trial.
        seconds: The time of each proposal.
    """

    regrets: Array
    seconds: Array


# The games of each contender, by problem, in the order of the seeds.
Results = Mapping[str, Mapping[str, Sequence[Game]]]


def regrets_after(games: Sequence[Game], trials: int) -> Array | None:
    """Return the regret of each seed after that many trials; None where not all went so far."""
    if any(len(game.regrets) < trials for game in games):
        return None
    return np.array([game.regrets[trials - 1] for game in games])


def share_better(regrets: Array, other: Array) -> float:
    """Return the share of seeds with less regret than the other's, an equal one being a half."""
    return float(np.mean((regrets < other) + 0.5 * (regrets == other)))


def mean_ranks(results: Results, trials: int) -> dict[str, float]:
    """Return each contender's rank among all by regret, from 1, as a mean over problems and seeds.

    Contenders with fewer trials are left out; equal regrets share their ranks.
    """
    titles = list(next(iter(results.values())))
    tables = {n: [regrets_after(games[t], trials) for t in titles] for n, games in results.items()}
    names = [name for name, table in tables.items() if all(row is not None for row in table)]
    regrets = np.array([np.concatenate([r for r in tables[n] if r is not None]) for n in names])
    less = (regrets[None, :, :] < regrets[:, None, :]).sum(axis=1)
    same = (regrets[None, :, :] == regrets[:, None, :]).sum(axis=1)
    ranks = 1 + less + (same - 1) / 2
    return dict(zip(names, ranks.mean(axis=1).tolist(), strict=True))


def as_entry(results: Results, titles: Sequence[str], budgets: Sequence[int]) -> dict[str, object]:
    """Return the games on some problems as JSON has them.

    They are the regrets of the seeds for each strategy, problem and number of trials, the mean
    rank, and the mean time of a proposal in seconds. A strategy with fewer trials has no regrets.

    Args:
        results: The games.
        titles: The problems.
        budgets: The numbers of trials.
    """
    part = {name: {title: games[title] for title in titles} for name, games in results.items()}
    ranks = {budget: mean_ranks(part, budget) for budget in budgets}
    strategies = []
    for name, own in part.items():
        regrets = {
            title: {
                str(budget): values.tolist()
                for budget in budgets
                if (values := regrets_after(games, budget)) is not None
            }
            for title, games in own.items()
        }
        times = np.concatenate([game.seconds for games in own.values() for game in games])
        entry = {"name": name, "regrets": regrets, "seconds_of_proposal": float(times.mean())}
        entry["mean_rank"] = {str(b): ranks[b][name] for b in budgets if name in ranks[b]}
        strategies.append(entry)
    return {"title": ", ".join(titles), "strategies": strategies}
