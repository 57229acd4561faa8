"""Whole searches beside keras-tuner's own random search, and where a trial's time goes."""

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tfcourse.bench.frame import Comparison, Contender, compare
from tfcourse.bench.search_breakdown import PHASES, measured
from tfcourse.bench.search_tuner import stock_search
from tfcourse.bench.search_work import SEARCHES, config_of
from tfcourse.bench.table import format_seconds
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.data import load_split
from tfcourse.search.run import Search

__all__ = ["ANEW", "OURS", "STOCK", "bench"]

OURS, ANEW = "tfcourse search", "tfcourse search, reuse_models = 0"
STOCK = "keras-tuner RandomSearch"


def bench(
    repeats: int = 1, names: Sequence[str] = tuple(SEARCHES), scale: float = 1.0
) -> Iterator[Comparison]:
    """Wall times of whole searches: data, trials, record, and the best model on the test set.

    The trials have the same models, first weights, values, epochs and data in all contenders.

    Args:
        repeats: How many rounds.
        names: The searches, see `tfcourse.bench.search_work.SEARCHES`.
        scale: What part of the trials and epochs to take; less than 1 to try it out.

    Raises:
        RuntimeError: The contenders' trials don't come to the same.
    """
    _warm_up()
    for name in names:
        yield _compare(SEARCHES[name], config_of(name, scale), repeats)


def _compare(title: str, config: SearchConfig, repeats: int) -> Comparison:
    anew = replace(config, search=config.search.model_copy(update={"reuse_models": 0}))
    scores: dict[str, list[float]] = {}

    def ours(name: str, config: SearchConfig) -> Contender:
        def run() -> None:
            scores[name] = _scores(config)

        return Contender(name, run, number=1)

    def stock() -> None:
        scores[STOCK] = stock_search(config, load_split(config))[0]

    contenders = [ours(OURS, config), ours(ANEW, anew), Contender(STOCK, stock, number=1)]
    found = compare(title, contenders, repeats=repeats, warmup=0)
    check_agreement(title, scores)
    return replace(found, note=_breakdown({OURS: config, ANEW: anew}))


def check_agreement(title: str, scores: dict[str, list[float]]) -> None:
    """The orders of the examples differ, and so do the scores, but not their middle.

    Raises:
        RuntimeError: It does.
    """
    middles = {name: statistics.median(found) for name, found in scores.items()}
    if max(middles.values()) - min(middles.values()) > 0.1:
        raise RuntimeError(f"The trials of {title} don't come to the same: {middles}.")


def _breakdown(configs: dict[str, SearchConfig]) -> str:
    """Where the time of the trials goes, in the mean of a trial; a line for each config."""
    lines = []
    for name, config in configs.items():
        with measured() as clock:
            _scores(config)
        parts = (
            f"{phase} {format_seconds(clock.seconds[phase] / config.search.trials)}"
            for phase in PHASES
        )
        lines.append(f"a trial of {name}: {', '.join(parts)}")
    return "\n".join(lines)


def _scores(config: SearchConfig) -> list[float]:
    """The scores of a search's completed trials."""
    with tempfile.TemporaryDirectory() as folder:
        result = Search(config, Path(folder)).run(verbose=False)
    return [record.score or 0.0 for record in result.ranking]


def _warm_up() -> None:
    """What TensorFlow and keras-tuner do only once a process."""
    config: Any = config_of("one", 0.1)
    _scores(config)
    stock_search(config, load_split(config))
