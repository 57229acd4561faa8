"""The work of a search: its missing trials, and the best model's one test."""

import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from tfcourse.data.splits import Split
from tfcourse.errors import InputError, WorkFailedError
from tfcourse.models.build import BUILDERS
from tfcourse.models.lint import lint
from tfcourse.models.saving import load_model
from tfcourse.search.config import SearchConfig
from tfcourse.search.data import load_split
from tfcourse.search.display import SearchProgress
from tfcourse.search.oracle import SearchOracle, propose
from tfcourse.search.results import RunDirectory, Summary, TrialRecord, rank
from tfcourse.search.strategies import rounds_on_record
from tfcourse.search.trial import TrialRunner, build_trial
from tfcourse.search.tuner import CourseTuner

__all__ = ["SearchFailedError", "execute"]

PACKAGES = ("tfcourse", "tensorflow", "keras", "keras-tuner", "numpy")
SECONDS_BETWEEN_TABLES = 2.0


class SearchFailedError(WorkFailedError):
    """Every trial failed: there is no best one. The run directory has their reasons."""


def execute(
    config: SearchConfig,
    directory: RunDirectory,
    finished: Mapping[int, TrialRecord],
    verbose: bool,
    fresh: bool,
) -> tuple[dict[int, TrialRecord], Summary]:
    """Runs the trials that are not finished, then measures the best model on the test set.

    Args:
        config: The search.
        directory: Where its record goes.
        finished: The trials that are already there.
        verbose: Whether to show a progress bar.
        fresh: Whether to delete what the directory holds, once data and builder are checked.

    Returns:
        All records by number, and the summary.

    Raises:
        InputError: The data or the builder does not fit.
        SearchFailedError: Every trial failed.
    """
    split = load_split(config)
    _rehearse(config, split)
    if fresh:
        directory.delete()
    directory.create(config.as_toml(), {name: version(name) for name in PACKAGES})
    records = _Records(config, directory, finished)
    if any(number not in finished for number in range(config.search.trials)):
        _run_missing(records, split, verbose)
    records.write_tables()  # also where a kill came between the last trial and them
    ranking = rank(records.by_number.values(), config.direction)
    if not ranking:
        first = records.by_number[min(records.by_number)]
        raise SearchFailedError(
            f"All {len(records.by_number)} trials failed; the first with: {first.message} "
            f"Each trial's reason is in {directory.results}."
        )
    return records.by_number, _measure(config, directory, ranking[0], split)


def _rehearse(config: SearchConfig, split: Split) -> None:
    """Builds trial 0's model, so that a builder that can't work fails before any training."""
    values = propose(config, 0, {}) or {}
    shape = split.train.x.shape[1:]
    try:
        model = build_trial(config, values, 0, shape, split.classes)
        if config.builder.name not in BUILDERS:
            _check_own_model(config.builder.name, model, shape)
    except InputError as error:
        raise InputError(f"{config.origin}: [model] {error}") from error
    except Exception as error:
        raise InputError(
            f'{config.origin}: [model] builder "{config.builder.name}" failed for {values} on '
            f"examples of shape {shape}: {type(error).__name__}: {error}"
        ) from error


def _check_own_model(name: str, model: Any, shape: tuple[int, ...]) -> None:
    """Refuses a model that the loss misreads, or that can't be loaded again at the end."""
    wrong = ("output_and_loss", "loss_and_labels", "sigmoid_classes")
    findings = [str(finding) for finding in lint(model) if finding.rule in wrong]
    if findings:
        raise InputError(f'builder "{name}" must end in probabilities, one a class: {findings[0]}')
    if not model.built:
        model.build((None, *shape))
    model.optimizer.build(model.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            model.save(path)
            load_model(path)
        except Exception as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f'builder "{name}": its model can\'t be saved and loaded again '
                f"({type(error).__name__}: {reason}). Give layers of your own get_config and "
                "@keras.saving.register_keras_serializable(), and use no lambda."
            ) from error


def _run_missing(records: "_Records", split: Split, verbose: bool) -> None:
    config, total = records.config, records.config.search.trials
    oracle = SearchOracle(config, total, records.by_number)
    done = sum(number < total for number in records.by_number)
    bar = SearchProgress(
        config.search.name, total, done, records.best_score, Console(stderr=True), not verbose
    )

    def on_trial(record: TrialRecord, model: Any) -> None:
        records.add(record, model)
        bar.advance(records.best_score)

    try:
        with bar:
            runner = TrialRunner(config, split)
            CourseTuner(oracle, runner, records.directory.path, on_trial).search()
    finally:
        records.write_tables()


def _measure(
    config: SearchConfig, directory: RunDirectory, best: TrialRecord, split: Split
) -> Summary:
    """The best model's test score: measured once, and kept."""
    kept = directory.read_summary()
    if kept is not None and kept.trial == best.trial:
        return kept
    model = load_model(directory.best)
    test = model.evaluate(split.test.x, split.test.y, verbose=0, return_dict=True)
    summary = Summary(best.trial, config.search.objective, best.score or 0.0, test)
    directory.write_summary(summary)
    return summary


class _Records:
    """The records of a running search, in memory and in the run directory."""

    def __init__(
        self, config: SearchConfig, directory: RunDirectory, finished: Mapping[int, TrialRecord]
    ) -> None:
        self.config, self.directory = config, directory
        self.by_number = dict(finished)
        self.tables_written = 0.0

    @property
    def best_score(self) -> float | None:
        ranking = rank(self.by_number.values(), self.config.direction)
        return ranking[0].score if ranking else None

    def add(self, record: TrialRecord, model: Any) -> None:
        known = {**self.by_number, record.trial: record}
        ranking = rank(known.values(), self.config.direction)
        # The models first: a crash between the two runs this trial again, and loses nothing.
        if ranking and ranking[0].trial == record.trial:
            self.directory.write_best(model)
        if model is not None and self.config.search.checkpoints == "all":
            self.directory.write_model(record.trial, model)
        # Known before it is on disk: an interrupt in between leaves it in the tables.
        self.by_number = dict(sorted(known.items()))
        self.directory.write_trial(record)
        if time.monotonic() - self.tables_written > SECONDS_BETWEEN_TABLES:
            self.write_tables()

    def write_tables(self) -> None:
        self.directory.write_tables(self.by_number.values(), self.config.columns)
        if rounds := rounds_on_record(self.config, self.by_number):
            self.directory.write_rounds(rounds)
        self.tables_written = time.monotonic()
