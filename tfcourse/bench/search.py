"""Whole searches beside keras-tuner's own random search, and where a trial's time goes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tfcourse.bench.frame import Comparison, Contender, Spread, Timing, compare
from tfcourse.bench.search_commands import compare_commands
from tfcourse.bench.search_runs import breakdown, check_agreement, scores_of
from tfcourse.bench.search_tuner import stock_search
from tfcourse.bench.search_work import COMMANDS, MANY, SEARCHES, config_of
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.data.loading import load_split

__all__ = ["ANEW", "OURS", "REUSE", "STOCK", "bench"]

OURS, ANEW = "tfcourse search", "tfcourse search, reuse_models = 0"
REUSE = 'tfcourse search, caviar = "reuse"'
STOCK = "keras-tuner RandomSearch"
# keras-tuner's time for the longest search is taken from one in so many of its trials.
PART = 4


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
        compared = compare_commands if name == COMMANDS else _compare
        yield compared(SEARCHES[name], config_of(name, scale), repeats)


def _compare(title: str, config: SearchConfig, repeats: int) -> Comparison:
    many = title == SEARCHES[MANY]
    other = {"caviar": "reuse"} if many else {"reuse_models": 0}
    configs = {
        OURS: config,
        REUSE if many else ANEW: _with(config, **other),
    }
    part = _with(config, trials=config.search.trials // PART) if many else config
    scores: dict[str, list[float]] = {}

    def ours(name: str) -> Contender:
        def run() -> None:
            scores[name] = scores_of(configs[name])[: part.search.trials]

        return Contender(name, run, number=1)

    def stock() -> None:
        scores[STOCK] = stock_search(part, load_split(part))[0]

    contenders = [*map(ours, configs), Contender(STOCK, stock, number=1)]
    found = compare(title, contenders, repeats=repeats, warmup=0)
    check_agreement(title, scores)
    if many:
        found = _whole(found, config.search.trials, part.search.trials)
    return replace(found, note=breakdown(configs))


def _whole(found: Comparison, trials: int, timed: int) -> Comparison:
    """keras-tuner's time for all trials, from that for some of them; its name says so."""
    factor = trials / timed

    def times(spread: Spread) -> Spread:
        return Spread(tuple(factor * value for value in spread.values))

    *ours, stock = found.timings
    name = f"{STOCK}: {factor:.3g} × its time for {timed} trials"
    stock = Timing(name, times(stock.ratios), times(stock.seconds), stock.number)
    return replace(found, timings=(*ours, stock))


def _with(config: SearchConfig, **search: Any) -> SearchConfig:
    return replace(config, search=config.search.model_copy(update=search))


def _warm_up() -> None:
    """What TensorFlow and keras-tuner do only once a process.

    With seeds of its own: where one comes again, TensorFlow has to forget its kernels.
    """
    config = _with(config_of("one", 0.1), seed=1)
    scores_of(config)
    stock_search(config, load_split(config))
