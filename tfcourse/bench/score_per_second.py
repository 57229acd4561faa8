"""Validation loss by seconds: our search beside Optuna's sampler with ``model.fit``."""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table
from rich.text import Text

from tfcourse.bench.strategies.contenders import missing_packages, new_study, suggest
from tfcourse.bench.table import format_ratio, format_seconds, machine_line
from tfcourse.errors import InputError
from tfcourse.search.config.load import parse_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.run import Search
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.trials.building import build_trial

__all__ = ["Course", "bench", "config_of", "our_search", "seconds_to", "stock_search"]

OURS, STOCK = 'tfcourse search, strategy = "gp"', "Optuna TPE and model.fit"

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


def config_of(seed: int, trials: int, epochs: int) -> SearchConfig:
    """Return the search: digits, five hyperparameters of one architecture."""
    search = {**_WORK["search"], "seed": seed, "trials": trials}
    training = {**_WORK["training"], "epochs": epochs}
    return parse_config({**_WORK, "search": search, "training": training}, "the bench", Path())


def bench(repeats: int = 5, trials: int = 24, epochs: int = 10) -> Iterator[Table]:
    """Compare how soon two searches reach the same validation loss; they train for real.

    The loss is the one that the worse of the two ends with. Both have the same data, models, space,
    epochs and number of trials, in this process; each search compiles its own models.

    Args:
        repeats: The number of seeds.
        trials: The trials of a search.
        epochs: The epochs of a trial.

    Yields:
        A table with the medians over the seeds.

    Raises:
        InputError: Optuna is not installed.
    """
    if missing_packages("optuna TPE"):
        raise InputError("The bench needs Optuna, which can't be imported: pip install optuna.")
    warm_up = config_of(1000, 2, 1)
    our_search(warm_up)
    stock_search(warm_up)
    pairs = []
    for seed in range(repeats):
        config = config_of(seed, trials, epochs)
        pairs.append((our_search(config), stock_search(config)))
        ours, stock = pairs[-1]
        print(
            f"seed {seed}: val_loss {ours.scores[-1]:.4f} after {ours.seconds[-1]:.1f} s, "
            f"Optuna {stock.scores[-1]:.4f} after {stock.seconds[-1]:.1f} s",
            file=sys.stderr,
            flush=True,
        )
    yield _table(pairs, f"digits, {trials} trials of {epochs} epochs, {repeats} seeds: medians")


def our_search(config: SearchConfig) -> Course:
    """Run our search with all that it does: records, and the best model on the test set.

    What it does beside its trials is counted as if all of it came before the first one.
    """
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = Search(config, Path(folder)).run(verbose=False)
    whole = time.perf_counter() - start
    records = [result.trials[number] for number in sorted(result.trials)]
    times = np.cumsum([record.seconds for record in records])
    scores = [np.inf if record.score is None else record.score for record in records]
    return Course(whole - times[-1] + times, np.minimum.accumulate(scores))


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


def _table(pairs: list[tuple[Course, Course]], title: str) -> Table:
    table = Table(title=Text(title), title_justify="left", caption_justify="left")
    table.caption = Text(
        f"same loss: the one that the worse of the two ends with\n{machine_line()}"
    )
    table.add_column("search", overflow="fold")
    for heading in ("val_loss", "whole search", "a trial", "seconds to the same loss"):
        table.add_column(heading, justify="right")
    to_same = np.array([[seconds_to(_worse(pair), course) for course in pair] for pair in pairs])
    for place, name in enumerate((OURS, STOCK)):
        courses = [pair[place] for pair in pairs]
        whole = np.median([course.seconds[-1] for course in courses])
        trial = np.median([course.seconds[-1] / len(course.seconds) for course in courses])
        loss = np.median([course.scores[-1] for course in courses])
        times = (format_seconds(float(s)) for s in (whole, trial, np.median(to_same[:, place])))
        table.add_row(Text(name), f"{loss:.4f}", *times)
    ratios = np.sort(to_same[:, 1] / to_same[:, 0])
    low, middle, high = ratios[0], np.median(ratios), ratios[-1]
    text = f"{format_ratio(float(middle))} [{format_ratio(low)}–{format_ratio(high)}]"
    table.add_row("ratio, median [min–max]", "", "", "", Text(text))
    return table


def _worse(pair: tuple[Course, Course]) -> float:
    return float(max(course.scores[-1] for course in pair))
