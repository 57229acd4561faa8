"""A search of many short trials in a population, beside their training alone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tfcourse.bench.frame import Comparison, Contender, compare
from tfcourse.bench.search_runs import check_agreement, run_search
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.trials.building import compiled_model
from tfcourse.search.trials.normalized import normalize
from tfcourse.search.trials.vectorized.group_size import group_sizes
from tfcourse.training.population.fit import fit_population
from tfcourse.training.population.member import Member
from tfcourse.training.population.program import PopulationProgram

__all__ = ["BARE", "OURS", "compare_wide"]

OURS, BARE = "tfcourse search", "fit_population alone"


def compare_wide(title: str, config: SearchConfig, repeats: int) -> Comparison:
    """Time a search of a population beside the training of the same members without a search.

    Raises:
        RuntimeError: The scores of the members are not those of the trials.
    """
    scores: dict[str, list[float]] = {}
    notes: list[str] = []

    def search() -> None:
        start = time.perf_counter()
        with _timed_programs() as programs:
            run = run_search(config)
        seconds = time.perf_counter() - start
        scores[OURS] = run.scores
        first = sum(sum(each[:1]) for each in programs.values())
        share = sum(map(sum, programs.values())) / seconds
        notes.append(
            f"{OURS}: {len(run.scores) / seconds:.3g} trials a second; {share:.0%} of the time in "
            f"its compiled programs, {first / seconds:.0%} in their first calls, which compile them"
        )

    def alone() -> None:
        scores[BARE] = _train_alone(config)

    contenders = [Contender(BARE, alone, number=1), Contender(OURS, search, number=1)]
    comparison = compare(title, contenders, baseline=BARE, repeats=repeats, warmup=0)
    check_agreement(title, scores)
    return replace(comparison, note="\n".join(notes))


def _train_alone(config: SearchConfig) -> list[float]:
    """Train the members that a search's trials are, and return their best scores."""
    split, _ = normalize(load_split(config), config.data.normalize)
    trials = range(config.trials)
    values = [propose(config.study, trial, {}) or {} for trial in trials]
    seeds = [trial_seed(config.search.seed, trial) for trial in trials]
    members = [Member(seed, dict(of)) for seed, of in zip(seeds, values, strict=True)]
    trained = fit_population(
        lambda: compiled_model(config, split, values[0]),
        members,
        split.train.x,
        split.train.y,
        batch_size=config.training.batch_size,
        epochs=config.training.epochs,
        verbose=0,
        validation_data=(split.dev.x, split.dev.y),
        validation_batch_size=len(split.dev.y),
        objective=config.search.objective,
        slots=group_sizes(config, 1).group_size,
        jit_compile=True,
    )
    return [max(result.history[config.search.objective]) for result in trained.results]


@contextmanager
def _timed_programs() -> Iterator[dict[str, list[float]]]:
    """Yield the seconds of each call of a population's programs, by the program."""
    seconds: dict[str, list[float]] = {"train": [], "test": []}
    calls: dict[str, Any] = {name: getattr(PopulationProgram, name) for name in seconds}

    def timed(name: str) -> Any:
        def run(*arguments: object) -> Any:
            start = time.perf_counter()
            result = calls[name](*arguments)
            seconds[name].append(time.perf_counter() - start)
            return result

        return run

    for name in calls:
        setattr(PopulationProgram, name, timed(name))
    try:
        yield seconds
    finally:
        for name, call in calls.items():
            setattr(PopulationProgram, name, call)
