"""A search from its config to its result; importing this module needs no TensorFlow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Unpack

from tfcourse.data.arrays import Pair
from tfcourse.errors import InputError
from tfcourse.files import translate_disk_errors
from tfcourse.interrupts import redeliver_interrupts
from tfcourse.notices import tensorflow_start
from tfcourse.search.config.arguments import config_from_arguments
from tfcourse.search.config.load import Overrides
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import is_local, is_missing, load_split
from tfcourse.search.engines import find_engine
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results import completion
from tfcourse.search.results.search_record import read_result
from tfcourse.search.results.search_result import SearchResult
from tfcourse.search.results.starting_points import load_with_start
from tfcourse.search.results.tensorboard import write_events
from tfcourse.search.runtime.beginning import begin
from tfcourse.search.runtime.costs_on_record import add_costs
from tfcourse.search.runtime.service import Service
from tfcourse.search.store.code_record import quick_code_changes
from tfcourse.search.store.data_record import check_same_data, data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.lock import lock_directory
from tfcourse.search.store.resume import as_recorded, check_path, finished_trials

__all__ = ["Search"]


@dataclass(frozen=True, init=False)
class Search:
    """A hyperparameter search; the Python form of ``tfcourse search``.

    ``Search.from_toml("tuner_configs/digits.toml").run()``, or without a file

    ``Search(space={"learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"}}, trials=24).run()``

    Its attributes are ``config``, a `tfcourse.search.config.search_config.SearchConfig`, and
    ``out``.

    Args:
        config: A checked config; it excludes all arguments after ``out``.
        out: The folder that holds run directories; this one is ``out/name``.
        space: The tables of ``[space]`` by name.
        build: ``"mlp"``, ``"convnet"``, ``"linear"``, ``"package.module:function"``, or a function
            ``build(input_shape, classes, ...)``, keras-tuner's ``build(hp)`` or ``HyperModel``
            itself.
        arguments: Fixed arguments of ``build``.
        data: The examples (x, y), to be split, also by columns or rows of their own, see
            `tfcourse.data.splitting.array_splits.split_arguments`. x may be a table of pandas,
            polars or pyarrow, also of texts, dates and missing values, or ``data`` one table with
            y in a column, see the page "data".
        train: The examples (x, y) of the train set, with ``dev``, and ``test`` if there are any.
        dev: Those of the dev set.
        test: Those of the test set, on which the best model is measured.
        settings: Every key of ``[search]``, ``[data]`` and ``[training]``, with its default there:
            ``trials`` (required), ``name`` (``"search"``), ``objective``, ``strategy``, ``seed``,
            ``epochs``, ``batch_size``, ``optimizer``, ``loss``, ``metrics``, ``folds``, ``source``,
            ``normalize`` and so on; ``data_seed`` is ``[data] seed``. Losses, metrics and
            callbacks may also be objects.

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
        data: Pair | None = None,
        train: Pair | None = None,
        dev: Pair | None = None,
        test: Pair | None = None,
        **settings: Any,
    ) -> None:
        arrays = {"data": data, "train": train, "dev": dev, "test": test}
        others = (space, arguments, *arrays.values())
        if config is None:
            config = config_from_arguments(space, build, arguments, arrays, settings)
        elif settings or build != "mlp" or any(v is not None for v in others):
            raise InputError("Search: config says everything; give it alone, with out.")
        config = as_recorded(config, Path(out) / config.search.name)
        object.__setattr__(self, "config", config)
        object.__setattr__(self, "out", Path(out))

    @staticmethod
    def from_toml(
        path: str | Path,
        *,
        out: str | Path = "runs",
        start_from: str | Path | None = None,
        **overrides: Unpack[Overrides],
    ) -> "Search":
        """Read and check a TOML file.

        If the search is finished in ``out``, its data and builder may be missing.

        Args:
            path: The file.
            out: The folder for the run directory.
            start_from: An earlier search's run directory: its best trials are the first here.
            overrides: ``trials``, ``epochs``, ``seed``, ``strategy``, ``max_seconds``, ``target``,
                ``patience`` and ``tensorboard``, see `tfcourse.search.config.load.Overrides`.

        Raises:
            InputError: Every error of the file, a line each.
        """
        try:
            config = load_with_start(Path(path), start_from, **overrides)
        except InputError:
            recorded = completion.finished_config(Path(path), Path(out), **overrides)
            if recorded is None or start_from is not None:  # the error may be about the latter
                raise
            config = recorded
        return Search(config, Path(out))

    @staticmethod
    @translate_disk_errors()
    def read_result(directory: str | Path) -> SearchResult:
        """Return the result of a finished search, from its run directory alone.

        Neither the data nor the builder is needed, nor TensorFlow.

        Raises:
            InputError: It is not a run directory, or its search is not finished.
        """
        return read_result(Path(directory))

    @property
    def directory(self) -> Path:
        """The run directory."""
        return self.out / self.config.search.name

    @translate_disk_errors()
    def completed(self) -> SearchResult | None:
        """Return the result if the run directory is complete; None if something is left to do.

        Raises:
            InputError: The run directory is another search's, or not a run directory, or the data
                changed. Only arrays and files that exist are compared.
        """
        records = self.finished()
        data, arrays = self.config.data, self.config.arrays
        if records and is_local(data, arrays) and not is_missing(data, arrays):
            check_same_data(self.directory, data_record(load_split(self.config)))
        result = completion.complete_result(self.config, RunDirectory(self.directory), records)
        if result is None:
            return None
        return replace(result, code_changes=quick_code_changes(self.directory, self.config))

    @translate_disk_errors()
    def run(
        self,
        verbose: bool = True,
        fresh: bool = False,
        workers: int | Literal["auto"] | None = None,
        accept_changes: bool = False,
        on: str | None = None,
    ) -> SearchResult:
        """Run the trials that are not in the run directory yet, and measure the best one.

        After an interruption, the next call continues the search.

        Args:
            verbose: True to show a progress bar (on stderr).
            fresh: True to start over; the record is deleted once data and builder are checked.
            workers: The number of processes that train; ``"auto"``: one for each GPU, or one for
                each ``threads`` cores. None is the config's, 1 by default; on Ray it is as many
                as the cluster has places for. The trials do not
                depend on it (except for rounding in convolutional models, if TensorFlow already
                runs in this process with another number of ``threads`` than the config's).
            accept_changes: True to continue a search although the code of its models changed;
                ``code.json`` then has the changes, and the first trial with the new code.
            on: The Ray cluster that trains: ``"ray"`` or ``"ray://HOST:PORT"``, see the page
                "workers". None is the config's engine.

        Raises:
            InputError: The data, the builder or an existing run directory does not fit, the code of
                the models changed, or another process is searching there.
            SearchFailedError: Every trial failed.
            WorkFailedError: The processes kept dying, or a checkpoint can't be written.
        """
        config = as_recorded(self.config, None if fresh else self.directory)
        object.__setattr__(self, "config", config)
        directory = RunDirectory(self.directory)
        engine = find_engine(config, workers, on)
        begin(config, directory, {} if fresh else self.finished())
        if fresh:
            check_path(directory)
        elif result := self.completed():
            write_events(config, directory, result.trials)
            return result
        engine.check(config)
        with lock_directory(self.directory), redeliver_interrupts():
            directory.remove_leftovers()
            if not fresh:
                add_costs(config, directory)
            finished = {} if fresh else finished_trials(config, directory, forget=True)
            options = {"verbose": verbose, "fresh": fresh, "accept_changes": accept_changes}
            with engine.runner(config, verbose) as run_trials:
                efforts = run_trials(config, directory, finished, **options)
            return replace(completion.final_result(config, directory), efforts=efforts)

    @translate_disk_errors()
    def serve(
        self, service: Service, on_serving: Callable[[int], None], accept_changes: bool = False
    ) -> SearchResult:
        """Serve the trials to workers on other machines; the Python form of ``tfcourse chief``.

        Args:
            service: The address and the settings of the server.
            on_serving: Called with the port once workers can connect.
            accept_changes: As for `run`.

        Raises:
            InputError, SearchFailedError: As `run`.
        """
        config, directory = self.config, RunDirectory(self.directory)
        begin(config, directory, self.finished())
        if result := self.completed():
            return result
        with lock_directory(self.directory):
            add_costs(config, directory)
            finished = finished_trials(config, directory, forget=True)
            with tensorflow_start(config.search.name, disable=not service.verbose):
                from tfcourse.search.runtime.chief import run_chief

            run_chief(config, directory, service, finished, on_serving, accept_changes)
            return completion.final_result(config, directory)

    @translate_disk_errors()
    def finished(self) -> dict[int, TrialRecord]:
        """Return the trials on record that need not be run again.

        Raises:
            InputError: The run directory is another search's, or not a run directory.
        """
        return finished_trials(self.config, RunDirectory(self.directory))
