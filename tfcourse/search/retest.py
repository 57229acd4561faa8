"""The best trials run again on today's data and code (course 1.6: intuitions get stale)."""

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tfcourse.console import one_line
from tfcourse.errors import InputError, WorkFailedError
from tfcourse.files import translate_disk_errors, write_atomically
from tfcourse.search.config.load import load_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.records.trial_record import TrialRecord, as_csv, rank
from tfcourse.search.results.retest_result import Retest, RetestedTrial
from tfcourse.search.run import Search
from tfcourse.search.runtime.progress import TrialsProgress
from tfcourse.search.store.data_record import data_record, read_data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.earlier_runs import ranking_on_record
from tfcourse.search.store.recognition import not_a_run_directory

if TYPE_CHECKING:
    from tfcourse.search.trials.trial import TrialRunner

__all__ = ["retest", "swapped_pairs"]


@translate_disk_errors()
def retest(
    run: str | Path | Search,
    top: int = 5,
    seed: int | None = None,
    seeds: int = 1,
    verbose: bool = True,
) -> Retest:
    """Run the best trials of a search again, and compare their order.

    The values are those on record; data and code are today's, as the config on record names them.
    The record of the search stays the same; ``retest.csv`` is added to it, or replaced.

    Args:
        run: The run directory, or the `tfcourse.Search` itself, which is necessary if data or
            builder were passed as objects.
        top: The number of best trials.
        seed: The seed of their weights, dropout and shuffling. By default it is the search's, with
            which the same data and code give the same scores. Another one shows how much of the
            order is chance.
        seeds: The number of trainings of each trial, each from another seed. With several, the new
            score is their mean, ``new_std`` their standard deviation, and ``seed`` by default the
            search's plus 1, as the best score under its own seed is the luckiest of the search.
        verbose: True to show the progress (on stderr).

    Returns:
        A `Retest`: ``trials``, ``swapped`` of ``pairs``, ``holds``, ``best_holds``,
        ``scores_hold``; ``print`` shows it as ``tfcourse retest`` does.

    Raises:
        InputError: There is no such record, it has fewer than two completed trials, or its data or
            builder is missing.
        WorkFailedError: All of them failed.
    """
    directory = RunDirectory(run.directory if isinstance(run, Search) else Path(run))
    searched = _config(run, directory, top, seed, seeds)
    config = _with_seeds(searched, seed, seeds)
    old = ranking_on_record(searched, directory, directory.read_trials())[:top]
    if len(old) < 2:
        raise InputError(
            f"{directory.path}: retest compares at least 2 completed trials. Found: {len(old)}."
        )
    # Errors up to here are raised without TensorFlow.
    from tfcourse.search.trials.threads import use_threads
    from tfcourse.search.trials.trial import TrialRunner

    use_threads(config.search.threads)
    split = load_split(config)
    stored = read_data_record(directory.path)
    same = None if stored is None else stored.get("sha256") == data_record(split)["sha256"]
    # Trials that were trained in a population are the same only up to rounding.
    alone = searched.search.caviar == "reuse"
    repeats = bool(same) and alone and seeds == 1 and seed in (None, searched.search.seed)
    runner = TrialRunner(config, split, worker="retest", files=directory.callbacks / "retest")
    new = _train(runner, old, config.direction, verbose)
    ranking = rank(new, config.direction, config.objectives[1:])
    places = {r.trial: place for place, r in enumerate(ranking, 1)}
    if not places:
        raise WorkFailedError(
            f"All {len(new)} trials that were run again failed; the first, trial {new[0].trial}, "
            f"with: {one_line(new[0].message)}"
        )
    trials = [
        RetestedTrial(
            trial=then.trial,
            old_rank=place,
            new_rank=places.get(then.trial, len(places) + 1),
            old_score=then.score or 0.0,
            new_score=now.score,
            message=now.message,
            chance=0.0 if repeats else _chance(then, now),
            new_std=now.score_std if seeds > 1 else None,
        )
        for place, (then, now) in enumerate(zip(old, new, strict=True), 1)
    ]
    file = directory.path / "retest.csv"
    left_out = {"chance"} if seeds > 1 else {"chance", "new_std"}
    columns = [column.name for column in fields(RetestedTrial) if column.name not in left_out]
    rows = [[getattr(trial, column) for column in columns] for trial in trials]
    write_atomically(file, as_csv(columns, rows))
    swapped = swapped_pairs([trial.new_rank for trial in trials])
    return Retest(config.search.objective, trials, swapped, same, file)


def _train(
    runner: "TrialRunner", old: Sequence[TrialRecord], direction: str, verbose: bool
) -> list[TrialRecord]:
    new = list[TrialRecord]()
    with TrialsProgress("retest", len(old), disable=not verbose) as bar:
        for record in old:
            new.append(runner.run(record.trial, record.values)[0])
            ranking = rank(new, direction)
            bar.count(ranking[0].score if ranking else None)
    return new


def swapped_pairs(ranks: Sequence[int]) -> int:
    """Return the number of pairs of a sequence that are in descending order.

    Of n different ranks Kendall's τ is ``1 - 4 · swapped / (n (n - 1))``.
    """
    return sum(a > b for place, a in enumerate(ranks) for b in ranks[place + 1 :])


def _config(
    run: str | Path | Search, directory: RunDirectory, top: int, seed: int | None, seeds: int
) -> SearchConfig:
    """Return the config of the record, after checks of the arguments."""
    for name, value, least in (("top", top, 2), ("seed", seed, 0), ("seeds", seeds, 1)):
        if value is not None and value < least:
            raise InputError(f"retest: {name} must be >= {least}. Received: {value}.")
    if not directory.exists():
        raise InputError(not_a_run_directory(directory.path))
    return run.config if isinstance(run, Search) else load_config(directory.config)


def _with_seeds(config: SearchConfig, seed: int | None, seeds: int) -> SearchConfig:
    if seeds > 1 and seed is None:
        seed = config.search.seed + 1
    if seed is not None:
        config = replace(config, search=config.search.model_copy(update={"seed": seed}))
    if seeds > 1:
        config = replace(config, training=config.training.model_copy(update={"repeats": seeds}))
    return config


def _chance(then: TrialRecord, now: TrialRecord) -> float | None:
    """Return two standard deviations of the difference of the means of a trial's trainings."""
    std = then.score_std if then.score_std is not None else now.score_std
    if std is None:
        return None
    return 2 * std * math.sqrt(1 / max(len(then.scores), 1) + 1 / max(len(now.scores), 1))
