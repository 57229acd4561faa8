"""A search from config to finished run directory."""

import shutil
import time
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
from rich.console import Console

from tfcourse import optimizers as _optimizers  # noqa: F401  (registers what best.keras holds)
from tfcourse.data.sources import load
from tfcourse.data.splits import Split, stratified_split
from tfcourse.errors import InputError
from tfcourse.search.config import SearchConfig, load_config
from tfcourse.search.display import SearchProgress
from tfcourse.search.oracle import RandomOracle
from tfcourse.search.results import RunDirectory, Summary, TrialRecord, rank
from tfcourse.search.sampling import sample
from tfcourse.search.tuner import CourseTuner, build_trial

__all__ = ["Search", "SearchFailedError", "SearchResult"]

PACKAGES = ("tfcourse", "tensorflow", "keras", "keras-tuner", "numpy")
SECONDS_BETWEEN_TABLES = 2.0


class SearchFailedError(RuntimeError):
    """Every trial failed: there is no best one. The run directory has their reasons."""


@dataclass(frozen=True)
class SearchResult:
    """A finished search.

    Attributes:
        directory: The run directory.
        trials: All records, by number.
        ranking: The completed ones, best first.
        summary: The best trial, its dev score, and its score on the test set.
        was_complete: Whether nothing was left to do.
    """

    directory: Path
    trials: Mapping[int, TrialRecord]
    ranking: list[TrialRecord]
    summary: Summary
    was_complete: bool

    @property
    def best(self) -> TrialRecord:
        """The best trial."""
        return self.ranking[0]

    def best_model(self) -> Any:
        """The best trial's model, with the weights of its best epoch."""
        return keras.models.load_model(RunDirectory(self.directory).best)


@dataclass(frozen=True)
class Search:
    """A hyperparameter search, from its checked config; the Python form of ``tfcourse search``.

    ``Search.from_toml("tuner_configs/digits.toml").run()``

    Attributes:
        config: What to search.
        out: The folder that holds run directories; this one is ``out/name``.
    """

    config: SearchConfig
    out: Path = Path("runs")

    @staticmethod
    def from_toml(
        path: str | Path,
        *,
        trials: int | None = None,
        epochs: int | None = None,
        seed: int | None = None,
        out: str | Path = "runs",
    ) -> "Search":
        """Reads and checks a TOML file.

        Args:
            path: The file.
            trials: Replaces ``[search] trials``.
            epochs: Replaces ``[training] epochs``.
            seed: Replaces ``[search] seed``.
            out: The folder for the run directory.

        Raises:
            InputError: Every error of the file, a line each.
        """
        asked = {"search": {"trials": trials, "seed": seed}, "training": {"epochs": epochs}}
        overrides = {
            table: {key: value for key, value in values.items() if value is not None}
            for table, values in asked.items()
        }
        return Search(load_config(Path(path), overrides), Path(out))

    @property
    def directory(self) -> Path:
        """The run directory."""
        return self.out / self.config.search.name

    def delete(self) -> None:
        """Deletes the run directory, if there is one.

        Raises:
            InputError: The folder exists and is not a run directory.
        """
        if not self.directory.exists():
            return
        if not RunDirectory(self.directory).config.is_file():
            raise InputError(
                f"{self.directory} is not a run directory (it has no config.toml): it is not "
                "deleted. Choose another --out."
            )
        shutil.rmtree(self.directory)

    def run(self, verbose: bool = True) -> SearchResult:
        """Runs the trials that the run directory does not hold yet, and measures the best one.

        Interrupted or killed, the next call goes on where this one was.

        Args:
            verbose: Whether to show a progress bar (on stderr).

        Raises:
            InputError: The data, the builder or an existing run directory does not fit.
            SearchFailedError: Every trial failed.
        """
        directory = RunDirectory(self.directory)
        finished = self._finished(directory)
        missing = [i for i in range(self.config.search.trials) if i not in finished]
        summary = directory.read_summary()
        ranking = rank(finished.values(), self.config.direction)
        if not missing and ranking and summary and summary.trial == ranking[0].trial:
            return SearchResult(self.directory, finished, ranking, summary, was_complete=True)

        split = self._load()
        self._rehearse(split)
        directory.create(self.config.as_toml(), {name: version(name) for name in PACKAGES})
        records = _Trials(self.config, directory, finished)
        if missing:
            self._run_missing(records, split, verbose)
        ranking = rank(records.by_number.values(), self.config.direction)
        if not ranking:
            first = records.by_number[min(records.by_number)]
            raise SearchFailedError(
                f"All {len(records.by_number)} trials failed; the first with: {first.message} "
                f"Each trial's reason is in {directory.results}."
            )
        summary = self._measure(directory, ranking[0], split)
        return SearchResult(self.directory, records.by_number, ranking, summary, was_complete=False)

    def _finished(self, directory: RunDirectory) -> dict[int, TrialRecord]:
        """The trials on record, after a check that they belong to this search."""
        if not directory.config.is_file():
            if directory.path.exists() and any(directory.path.iterdir()):
                raise InputError(
                    f"{directory.path} exists and is not a run directory (it has no "
                    "config.toml). Choose another --out or another name."
                )
            return {}
        stored = tomllib.loads(directory.config.read_text(encoding="utf-8"))
        changes = _differences(stored, tomllib.loads(self.config.as_toml()))
        if changes:
            raise InputError(
                f"{directory.path} holds a search with another config: {'; '.join(changes)}. "
                "Start over with --fresh, or choose another --out or another name."
            )
        records = directory.read_trials()
        ranking = rank(records.values(), self.config.direction)
        if ranking and not zipfile.is_zipfile(directory.best):
            # The best model is lost: its trial, run again, gives the same one.
            del records[ranking[0].trial]
        return records

    def _load(self) -> Split:
        data = self.config.data
        try:
            whole, classes = load(data.source, Path(data.path) if data.path else None, data.label)
        except InputError as error:
            raise InputError(f"[data] {error}") from error
        return stratified_split(whole, data.split, classes, data.seed)

    def _rehearse(self, split: Split) -> None:
        """Builds trial 0's model, so that a builder that can't work fails before any training."""
        values = sample(self.config.space, self.config.search.seed, 0)
        try:
            build_trial(self.config, values, 0, split.train.x.shape[1:], split.classes)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f'[model] builder "{self.config.builder.name}" failed for {values} on examples '
                f"of shape {split.train.x.shape[1:]}: {type(error).__name__}: {error}"
            ) from error

    def _run_missing(self, records: "_Trials", split: Split, verbose: bool) -> None:
        config, total = self.config, self.config.search.trials
        oracle = RandomOracle(config, total, records.by_number)
        done = sum(number < total for number in records.by_number)
        bar = SearchProgress(
            config.search.name, total, done, records.best_score, Console(stderr=True), not verbose
        )

        def on_trial(record: TrialRecord, model: Any) -> None:
            records.add(record, model)
            bar.advance(records.best_score)

        try:
            with bar:
                CourseTuner(oracle, config, split, self.directory, on_trial).search()
        finally:
            records.write_tables()

    def _measure(self, directory: RunDirectory, best: TrialRecord, split: Split) -> Summary:
        """The best model's test score: measured once, and kept."""
        kept = directory.read_summary()
        if kept is not None and kept.trial == best.trial:
            return kept
        model = keras.models.load_model(directory.best)
        test = model.evaluate(split.test.x, split.test.y, verbose=0, return_dict=True)
        summary = Summary(best.trial, self.config.search.objective, best.score or 0.0, test)
        directory.write_summary(summary)
        return summary


class _Trials:
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
        # The model first: a crash between the two runs this trial again, and loses nothing.
        if ranking and ranking[0].trial == record.trial:
            self.directory.write_best(model)
        self.directory.write_trial(record)
        self.by_number = dict(sorted(known.items()))
        if time.monotonic() - self.tables_written > SECONDS_BETWEEN_TABLES:
            self.write_tables()

    def write_tables(self) -> None:
        self.directory.write_tables(self.by_number.values(), list(self.config.space))
        self.tables_written = time.monotonic()


def _differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """What differs between two configs, in words; the number of trials may."""

    def flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        leaves: dict[str, Any] = {}
        for key, value in tables.items():
            name = f"{prefix}.{key}" if prefix else key
            leaves |= flat(value, name) if isinstance(value, Mapping) else {name: value}
        return leaves

    old, new = flat(stored), flat(asked)
    return [
        f"{name} is {old.get(name, 'not set')!r} there and {new.get(name, 'not set')!r} here"
        for name in sorted({*old, *new})
        if name != "search.trials" and old.get(name) != new.get(name)
    ]
