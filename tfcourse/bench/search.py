"""Whole searches beside keras-tuner's own random search, and where their time goes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from tfcourse.bench.frame import Comparison, Contender, Spread, Timing, compare
from tfcourse.bench.search_commands import compare_commands
from tfcourse.bench.search_runs import SearchRun, check_agreement, run_search
from tfcourse.bench.search_tuner import stock_search
from tfcourse.bench.search_wide import compare_wide
from tfcourse.bench.search_work import COMMANDS, LONG, MANY, SEARCHES, WIDE, config_of
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split

__all__ = ["NO_REUSE", "OURS", "REUSE", "STOCK", "bench"]

OURS, NO_REUSE = "tfcourse search", "tfcourse search, reuse_models = 0"
REUSE = 'tfcourse search, caviar = "reuse"'
STOCK = "keras-tuner RandomSearch"
# keras-tuner's time for the longest search is computed from one in four of its trials.
PART = 4


def bench(
    repeats: int = 1, names: Sequence[str] = tuple(SEARCHES), scale: float = 1.0
) -> Iterator[Comparison]:
    """Time whole searches: data, trials, record, and the best model on the test set.

    The trials have the same models, initial weights, values, epochs and data in all contenders.

    Args:
        repeats: The number of rounds.
        names: The searches, see `tfcourse.bench.search_work.SEARCHES`.
        scale: The fraction of the trials and epochs to run; less than 1 for a quick look.

    Raises:
        RuntimeError: The contenders' trials don't agree.
    """
    _warm_up()
    for name in names:
        yield _COMPARE.get(name, _compare)(SEARCHES[name], config_of(name, scale), repeats)


def _compare(title: str, config: SearchConfig, repeats: int) -> Comparison:
    many = title == SEARCHES[MANY]
    other = {"caviar": "reuse"} if many else {"reuse_models": 0}
    configs = {OURS: config, REUSE if many else NO_REUSE: _with(config, **other)}
    part = _with(config, trials=config.search.trials // PART) if many else config
    runs: dict[str, SearchRun] = {}
    scores: dict[str, list[float]] = {}

    def ours(name: str) -> Contender:
        def run() -> None:
            runs[name] = run_search(configs[name])
            scores[name] = runs[name].scores[: part.search.trials]

        return Contender(name, run, number=1)

    def stock() -> None:
        scores[STOCK] = stock_search(part, load_split(part))[0]

    contenders = [*map(ours, configs), Contender(STOCK, stock, number=1)]
    comparison = compare(title, contenders, repeats=repeats, warmup=0)
    check_agreement(title, scores)
    if many:
        comparison = _whole(comparison, config.search.trials, part.search.trials)
    return replace(comparison, note="\n".join(f"{name}: {run}" for name, run in runs.items()))


_COMPARE: Mapping[str, Callable[[str, SearchConfig, int], Comparison]] = {
    COMMANDS: compare_commands,
    LONG: partial(compare_commands, with_stock=False),
    WIDE: compare_wide,
}


def _whole(comparison: Comparison, trials: int, timed: int) -> Comparison:
    """Scale keras-tuner's time for some of the trials to all of them; its name says so."""
    factor = trials / timed

    def scaled(spread: Spread) -> Spread:
        return Spread(tuple(factor * value for value in spread.values))

    *ours, stock = comparison.timings
    name = f"{STOCK}: {factor:.3g} × its time for {timed} trials"
    stock = Timing(name, scaled(stock.ratios), scaled(stock.seconds), stock.number)
    return replace(comparison, timings=(*ours, stock))


def _with(config: SearchConfig, **search: object) -> SearchConfig:
    return replace(config, search=config.search.model_copy(update=search))


def _warm_up() -> None:
    """Run what TensorFlow and keras-tuner do only once per process.

    The seed is one that no timed search has: where a seed is set a second time, TensorFlow drops
    the kernels that it has prepared.
    """
    config = _with(config_of("one", 0.1), seed=1)
    run_search(config)
    stock_search(config, load_split(config))
