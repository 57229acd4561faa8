"""A search from config to finished run directory; nothing here needs TensorFlow."""

import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfcourse.errors import InputError
from tfcourse.search.arguments import config_from_arguments
from tfcourse.search.config import SearchConfig, load_config
from tfcourse.search.data import at_hand, load_split
from tfcourse.search.results import RunDirectory, Summary, TrialRecord, rank

__all__ = ["Search", "SearchResult"]


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

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """Coarse to fine: each round's first and last trial, and its box; otherwise none."""
        return RunDirectory(self.directory).read_rounds()

    def best_model(self) -> Any:
        """The best trial's model, with the weights of its best epoch."""
        from tfcourse.models.saving import load_model

        return load_model(RunDirectory(self.directory).best)


@dataclass(frozen=True, init=False)
class Search:
    """A hyperparameter search; the Python form of ``tfcourse search``.

    ``Search.from_toml("tuner_configs/digits.toml").run()``, or without a file

    ``Search(space={"learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"}}, trials=24).run()``

    Its attributes are its ``config``, a checked `tfcourse.search.config.SearchConfig`, and ``out``.

    Args:
        config: A checked config; it excludes all that follows ``out``.
        out: The folder that holds run directories; this one is ``out/name``.
        space: The tables of ``[space]`` by name.
        build: ``"mlp"``, ``"package.module:function"``, or the function ``build(input_shape,
            classes, ...)``, keras-tuner's ``build(hp)`` or ``HyperModel`` itself.
        arguments: Fixed arguments of ``build``.
        data: The examples (x, y), to be split.
        train: The examples (x, y) of the train set, with ``dev`` and ``test``.
        dev: Those of the dev set.
        test: Those of the test set.
        settings: Every key of ``[search]``, ``[data]`` and ``[training]``, with its default there:
            ``trials`` (required), ``name`` (``"search"``), ``objective``, ``strategy``, ``seed``,
            ``epochs``, ``batch_size``, ``optimizer``, ``loss``, ``metrics``, ``folds``, ``source``,
            ``normalize`` and so on; ``data_seed`` is ``[data] seed``.

    Raises:
        InputError: Every error, a line each.
    """

    config: SearchConfig
    out: Path

    def __init__(
        self,
        config: SearchConfig | None = None,
        out: str | Path = "runs",
        *,
        space: Mapping[str, Mapping[str, Any]] | None = None,
        build: Any = "mlp",
        arguments: Mapping[str, Any] | None = None,
        data: Any = None,
        train: Any = None,
        dev: Any = None,
        test: Any = None,
        **settings: Any,
    ) -> None:
        if config is None:
            arrays = {"data": data, "train": train, "dev": dev, "test": test}
            config = config_from_arguments(space, build, arguments, arrays, settings)
        elif settings or any(given is not None for given in (space, arguments, data, train)):
            raise InputError("Search: config says everything; give it alone, with out.")
        object.__setattr__(self, "config", config)
        object.__setattr__(self, "out", Path(out))

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
        config = load_config(Path(path), trials=trials, epochs=epochs, seed=seed)
        return Search(config, Path(out))

    @property
    def directory(self) -> Path:
        """The run directory."""
        return self.out / self.config.search.name

    def completed(self) -> SearchResult | None:
        """The result, if the run directory holds all of it; None if something is left to do.

        Raises:
            InputError: The run directory is another search's or of other data (of arrays and
                files; others are not read for it), or not a run directory.
        """
        directory = RunDirectory(self.directory)
        records = self._finished(directory)
        if records and at_hand(self.config):
            from tfcourse.search.data_record import check_same_data, data_record

            check_same_data(directory.path, data_record(load_split(self.config)))
        ranking = rank(records.values(), self.config.direction)
        summary = directory.read_summary()
        complete = all(number in records for number in range(self.config.search.trials))
        if complete and ranking and summary and summary.trial == ranking[0].trial:
            return SearchResult(self.directory, records, ranking, summary, was_complete=True)
        return None

    def run(self, verbose: bool = True, fresh: bool = False) -> SearchResult:
        """Runs the trials that the run directory does not hold yet, and measures the best one.

        Interrupted or killed, the next call goes on where this one was.

        Args:
            verbose: Whether to show a progress bar (on stderr).
            fresh: Whether to delete the run directory and start over. Data and builder are
                checked before it is deleted.

        Raises:
            InputError: The data, the builder or an existing run directory does not fit.
            SearchFailedError: Every trial failed.
        """
        if fresh:
            self._check_place(RunDirectory(self.directory))
        elif result := self.completed():
            return result
        # Here, and not above: a finished search is shown without TensorFlow.
        from tfcourse.search.execution import execute

        directory = RunDirectory(self.directory)
        finished = {} if fresh else self._finished(directory)
        records, summary = execute(self.config, directory, finished, verbose, fresh)
        ranking = rank(records.values(), self.config.direction)
        return SearchResult(self.directory, records, ranking, summary, was_complete=False)

    def _check_place(self, directory: RunDirectory) -> None:
        """Refuses a place that holds something else than a run directory."""
        for path in (directory.path, *directory.path.parents):
            if path.exists() and not path.is_dir():
                raise InputError(f"{path} is a file. Choose another --out or another name.")
        if directory.exists() or not directory.path.exists():
            return
        # What a kill left of a directory that was just being made is none of the user's.
        left = {p.name for p in directory.path.iterdir()} - {directory.trials.name, "versions.json"}
        if left:
            raise InputError(
                f"{directory.path} exists and is not a run directory (it lacks config.toml, "
                "versions.json or trials/). Choose another --out or another name."
            )

    def _finished(self, directory: RunDirectory) -> dict[int, TrialRecord]:
        """The trials on record, after a check that they belong to this search."""
        self._check_place(directory)
        if not directory.exists():
            return {}
        try:
            stored = tomllib.loads(directory.config.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(
                f"{directory.config} is not a TOML file: {error}. Start over with --fresh."
            ) from None
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
