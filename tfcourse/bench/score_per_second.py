"""Validation loss by seconds: our search beside Optuna's sampler with ``model.fit``."""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from rich.text import Text

from tfcourse.bench.frame import Spread
from tfcourse.bench.strategies.contenders import missing_packages, new_study, suggest
from tfcourse.bench.table import Figures, format_ratio, format_seconds, machine_line
from tfcourse.errors import InputError
from tfcourse.search.config.load import parse_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.run import Search
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.trials.building import build_trial

__all__ = ["Course", "bench", "config_of", "our_search", "seconds_to", "stock_search"]

ALONE, TOGETHER = "gp, one trial after another", "gp, 8 trials at a time in a population"
STOCK = "Optuna TPE and model.fit"
# The tables of our searches.
OURS: Mapping[str, Mapping[str, Any]] = {
    ALONE: {"gp": {"parallel": 1}, "caviar": "reuse"},
    TOGETHER: {"gp": {"parallel": 8}, "caviar": "population"},
}

_WORK: Mapping[str, Any] = {
    "search": {"name": "digits", "objective": "val_loss", "strategy": "gp"},
    "data": {"source": "digits"},
    "training": {"batch_size": 64},
    "space": {
        "learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"},
        "beta_1": {"low": 0.5, "high": 0.999, "scale": "one_minus_log"},
        "beta_2": {"low": 0.9, "high": 0.9999, "scale": "one_minus_log"},
        "epsilon": {"low": 1e-10, "high": 1.0, "scale": "log"},
        "dropout": {"low": 0.0, "high": 0.8},
    },
}


@dataclass(frozen=True)
class Course:
    """The course of a search.

    Attributes:
        seconds: The time from the start to the end of each trial.
        scores: The smallest validation loss up to each trial.
    """

    seconds: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]


def config_of(name: str, seed: int, trials: int, epochs: int) -> SearchConfig:
    """Return one of our searches: digits, five hyperparameters of one architecture."""
    search = {**_WORK["search"], **OURS[name], "seed": seed, "trials": trials}
    training = {**_WORK["training"], "epochs": epochs}
    return parse_config({**_WORK, "search": search, "training": training}, "the bench", Path())


def bench(repeats: int = 5, trials: int = 48, epochs: int = 10) -> Iterator[Figures]:
    """Compare how soon our searches reach the same validation loss as Optuna's; all train for real.

    The loss is the one that the worse of the two ends with. All have the same data, models, space,
    epochs and number of trials, in this process; each search compiles its own models.

    Args:
        repeats: The number of seeds.
        trials: The trials of a search.
        epochs: The epochs of a trial.

    Yields:
        The medians over the seeds, and the times of each seed.

    Raises:
        InputError: Optuna is not installed.
    """
    if missing_packages("optuna TPE"):
        raise InputError("The bench needs Optuna, which can't be imported: pip install optuna.")
    _warm_up()
    courses: dict[str, list[Course]] = {name: [] for name in (*OURS, STOCK)}
    for seed in range(repeats):
        for name, own in courses.items():
            if name in OURS:
                own.append(our_search(config_of(name, seed, trials, epochs)))
            else:
                own.append(stock_search(config_of(ALONE, seed, trials, epochs)))
            end = f"val_loss {own[-1].scores[-1]:.4f} after {own[-1].seconds[-1]:.1f} s"
            print(f"seed {seed}: {name}: {end}", file=sys.stderr, flush=True)
    title = f"digits, {trials} trials of {epochs} epochs, {repeats} seeds: medians"
    yield Figures(_table(courses, title), _entry(courses, title))


def _warm_up() -> None:
    """Run each search once: what happens once in a process belongs to none of them."""
    for name in OURS:
        our_search(config_of(name, 1000, 2, 1))
    stock_search(config_of(ALONE, 1000, 1, 1))


def our_search(config: SearchConfig) -> Course:
    """Run our search with all that it does: records, and the best model on the test set.

    A trial ends when its record has been written; the last one when the search has ended.
    """
    start, start_of_files = time.perf_counter(), time.time()
    with tempfile.TemporaryDirectory() as folder:
        result = Search(config, Path(folder)).run(verbose=False)
        whole = time.perf_counter() - start
        directory, numbers = RunDirectory(result.directory), sorted(result.trials)
        files = [directory.record_of(number) for number in numbers]
        ends = np.array([file.stat().st_mtime for file in files]) - start_of_files
    ends[-1] = whole
    scores = [result.trials[number].score for number in numbers]
    losses = [np.inf if score is None else score for score in scores]
    return Course(np.maximum.accumulate(ends), np.minimum.accumulate(losses))


def stock_search(config: SearchConfig) -> Course:
    """Ask Optuna's default sampler for the values, on our scales, and call ``model.fit``."""
    start = time.perf_counter()
    split = load_split(config)
    study = new_study("optuna TPE", config.search.seed)
    seconds, scores = list[float](), list[float]()
    for number in range(config.search.trials):
        trial = study.ask()
        values = {name: suggest(trial, name, p) for name, p in config.space.items()}
        model = build_trial(config, split, values, trial_seed(config.search.seed, number))
        history = model.fit(
            split.train.x,
            split.train.y,
            validation_data=(split.dev.x, split.dev.y),
            batch_size=config.training.batch_size,
            epochs=config.training.epochs,
            verbose=0,
        ).history
        losses = [loss for loss in history["val_loss"] if np.isfinite(loss)]
        scores.append(min(losses, default=np.inf))
        study.tell(trial, min(scores[-1], sys.float_info.max))
        seconds.append(time.perf_counter() - start)
    return Course(np.array(seconds), np.minimum.accumulate(scores))


def seconds_to(score: float, course: Course) -> float:
    """Return when a search's best score is as small as this one, infinite if never."""
    places = np.flatnonzero(course.scores <= score)
    return float(course.seconds[places[0]]) if len(places) else float(np.inf)


def times_to_same_loss(
    own: Sequence[Course], stock: Sequence[Course]
) -> tuple[list[float], list[float]]:
    """Return the seconds of both searches of each seed to the loss of the worse one."""
    pairs = list(zip(own, stock, strict=True))
    same = [max(course.scores[-1] for course in pair) for pair in pairs]
    ours, others = (
        [seconds_to(score, pair[place]) for score, pair in zip(same, pairs, strict=True)]
        for place in (0, 1)
    )
    return ours, others


def _entry(courses: Mapping[str, Sequence[Course]], title: str) -> dict[str, object]:
    """Return the figures of each search by seed, as JSON has them."""
    searches = []
    for name, own in courses.items():
        ours, stock = times_to_same_loss(own, courses[STOCK])
        searches.append(
            {
                "name": name,
                "val_loss": [float(course.scores[-1]) for course in own],
                "seconds": [float(course.seconds[-1]) for course in own],
                "seconds_to_same_loss": ours,
                "stock_seconds_to_same_loss": stock,
                "ratios": [b / a for a, b in zip(ours, stock, strict=True)],
            }
        )
    return {"title": title, "baseline": STOCK, "searches": searches}


def _table(courses: Mapping[str, Sequence[Course]], title: str) -> Table:
    table = Table(title=Text(title), title_justify="left", caption_justify="left")
    table.caption = Text(
        f"same loss: the one that the worse of a search and Optuna's ends with\n{machine_line()}"
    )
    table.add_column("search", overflow="fold")
    headings = ("val_loss", "all trials", "to the same loss", "Optuna, to it", "ratio [min–max]")
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, own in courses.items():
        loss = np.median([course.scores[-1] for course in own])
        cells = [f"{loss:.4f}", _seconds([course.seconds[-1] for course in own])]
        if name in OURS:
            ours, stock = times_to_same_loss(own, courses[STOCK])
            ratios = Spread(tuple(b / a for a, b in zip(ours, stock, strict=True)))
            low, middle, high = map(format_ratio, (ratios.low, ratios.median, ratios.high))
            cells += [_seconds(ours), _seconds(stock), f"{middle} [{low}–{high}]"]
        table.add_row(Text(name), *map(Text, cells))
    return table


def _seconds(times: Sequence[float]) -> str:
    return format_seconds(float(np.median(times)))
