"""The work of a search: its missing trials, and the test of the best model."""

import logging
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import tensorflow as tf

from tfcourse.console import one_line, printable
from tfcourse.data.splits import Part, Split
from tfcourse.errors import WorkFailedError
from tfcourse.models.saving import load_model, why_not_loadable
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.data.folds import check_folds
from tfcourse.search.data.loading import load_split
from tfcourse.search.data.warnings import data_warnings
from tfcourse.search.engine.choose import tuner_for
from tfcourse.search.engine.oracle import SearchOracle
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.runtime.preflight import preflight
from tfcourse.search.runtime.progress import SearchProgress
from tfcourse.search.store.code_record import (
    check_same_code,
    code_changes,
    is_damaged,
    write_code_record,
)
from tfcourse.search.store.data_record import check_unchanged, data_record, write_data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.errors import SearchFailedError, lost_model
from tfcourse.search.store.journal import SearchJournal, TrialWriter
from tfcourse.search.store.summary import Summary
from tfcourse.search.strategies.proposals import Records
from tfcourse.search.trials.threads import use_threads
from tfcourse.search.trials.trial import LARGEST_BATCH, TrialRunner
from tfcourse.training.evaluate import evaluate

__all__ = ["conclude", "execute", "prepare"]

LOG = logging.getLogger("tfcourse")
PACKAGES = ("tfcourse", "tensorflow", "keras", "keras-tuner", "numpy")


def execute(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Records,
    verbose: bool,
    fresh: bool,
    accept_changes: bool = False,
) -> dict[str, Effort]:
    """Runs the trials that are not finished in this process, then concludes the search.

    Gives what they took, by process.

    Args:
        config: The search.
        directory: Where its record goes.
        finished: The trials that are already there.
        verbose: Whether to show a progress bar.
        fresh: Whether to delete what the directory holds, once data and builder are checked.
        accept_changes: Whether to go on although the code of the models changed.

    Raises:
        InputError: The data or the builder does not fit.
        SearchFailedError: Every trial failed.
    """
    use_threads(config.search.threads)
    split = prepare(config, directory, finished, fresh, accept_changes)
    total = config.trials

    def on_end(record: TrialRecord, best: float | None) -> None:
        bar.advance(best)

    journal = SearchJournal(config, directory, finished, on_end)
    bar = SearchProgress(config, finished, disable=not verbose)
    efforts = {}
    if any(number not in finished for number in range(total)):
        oracle = SearchOracle(config, total, finished, journal)
        writer = TrialWriter(config, directory)
        runner = TrialRunner(config, split, checkpoints=directory.checkpoints)
        tuner = tuner_for(oracle, runner, directory.path, writer.add)
        try:
            with bar:
                tuner.search()
            efforts["main"] = tuner.effort
        except BaseException:
            journal.break_off()
            raise
    conclude(config, directory, journal, split)
    return efforts


def prepare(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Records,
    fresh: bool,
    accept_changes: bool,
    begins: Callable[[str], None] = lambda part: None,
) -> Split:
    """Checks data and builder, and makes the run directory ready; as `execute`.

    ``begins`` is called before the "data" is loaded, and before the first "model" is built.
    """
    begins("data")
    split = load_split(config)
    check_folds(split, config.training.folds, config.origin)
    for warning in data_warnings(split, config):
        LOG.warning("%s: [data] %s", config.origin, printable(warning))
    record = data_record(split)
    if not fresh:
        check_unchanged(directory.path, record, config)
    begins("model")
    code = preflight(config, split)
    missing = [number for number in range(config.trials) if number not in finished]
    if not fresh and finished and missing and not accept_changes:
        check_same_code(directory.path, code)
    changes = [] if fresh else code_changes(directory.path, code)
    if fresh:
        directory.delete()
    directory.create(config.as_toml(), {name: version(name) for name in PACKAGES})
    write_data_record(directory.path, record)
    if missing or is_damaged(directory.path):
        if changes:
            directory.forget_all_checkpoints()  # of the models as they were
        accepted = changes if finished else ()
        write_code_record(directory.path, code, accepted, first_trial=(missing or [0])[0])
    return split


def conclude(
    config: SearchConfig, directory: RunDirectory, journal: SearchJournal, split: Split
) -> None:
    """Completes the record, and measures the best model on the test set.

    Each best model is measured once, and every measurement is kept.

    Raises:
        SearchFailedError: Every trial failed.
        WorkFailedError: The best model is lost, or can't be loaded.
    """
    journal.tidy()
    best = journal.best
    if best is None:
        first = journal.by_number[min(journal.by_number)]
        raise SearchFailedError(
            f"All {len(journal.by_number)} trials failed; the first with: "
            f"{one_line(first.message)} Each trial's reason is in {directory.results}."
        )
    if directory.best_trial() != best.trial:
        raise lost_model(directory.best, best.trial)
    kept = directory.read_summary()
    score, objective = best.score or 0.0, config.search.objective
    if kept is None or kept.trial != best.trial:
        try:
            model = load_model(directory.best)
        except Exception as error:
            raise WorkFailedError(
                f"{directory.best}: the best trial's, {best.trial}, {why_not_loadable(error)} Then "
                "the same command goes on; what is in the file itself needs --fresh."
            ) from error
        test, done = _measured(model, split.test), len(journal.by_number)
        summary = Summary.measured(kept, best.trial, objective, score, test, done)
        directory.write_summary(summary)
    elif (kept.objective, kept.score) != (objective, score):
        # Damaged, or the trial was run again and rounded otherwise.
        directory.write_summary(replace(kept, objective=objective, score=score))


def _measured(model: Any, test: Part) -> dict[str, float]:
    """The metrics on the test set; a single batch is sooner computed than a program traced."""
    if len(test.x) <= LARGEST_BATCH:
        model.run_eagerly = True
    x: Any = test.x
    y: Any = test.y
    if x.dtype == np.float64:  # an array would become float32 before the model can scale it
        x, y = tf.data.Dataset.from_tensor_slices((x, y)).batch(LARGEST_BATCH), None
    metrics: dict[str, float] = evaluate(
        model, x, y, batch_size=LARGEST_BATCH, verbose=0, return_dict=True
    )
    return metrics
