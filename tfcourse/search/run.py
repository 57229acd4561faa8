"""A search from config to finished run directory; nothing here needs TensorFlow."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tfcourse.errors import InputError
from tfcourse.files import translate_disk_errors
from tfcourse.quiet import quiet_start
from tfcourse.search.config.advice import exhaustion
from tfcourse.search.config.arguments import config_from_arguments
from tfcourse.search.config.load import load_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import is_local, is_missing, load_split
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.results.completion import (
    complete_result,
    final_result,
    finished_config,
    read_result,
)
from tfcourse.search.results.search_result import SearchResult
from tfcourse.search.runtime.local import serve, supervise
from tfcourse.search.runtime.resources import worker_count
from tfcourse.search.runtime.service import Service
from tfcourse.search.store.code_record import code_changes_at_hand
from tfcourse.search.store.data_record import check_same_data, data_record
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.store.lock import locked
from tfcourse.search.store.resume import check_place, finished_trials, repetitions

__all__ = ["Search"]

LOG = logging.getLogger("tfcourse")


@dataclass(frozen=True, init=False)
class Search:
    """A hyperparameter search; the Python form of ``tfcourse search``.

    ``Search.from_toml("tuner_configs/digits.toml").run()``, or without a file

    ``Search(space={"learning_rate": {"low": 1e-4, "high": 1.0, "scale": "log"}}, trials=24).run()``

    Its attributes are its ``config``, a `tfcourse.search.config.search_config.SearchConfig`, and
    ``out``.

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
        arrays = {"data": data, "train": train, "dev": dev, "test": test}
        if config is None:
            config = config_from_arguments(space, build, arguments, arrays, settings)
        elif (
            settings
            or build != "mlp"
            or any(v is not None for v in (space, arguments, *arrays.values()))
        ):
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

        Of a search that is finished in ``out`` the data and the builder may be gone.

        Args:
            path: The file.
            trials: Replaces ``[search] trials``.
            epochs: Replaces ``[training] epochs``.
            seed: Replaces ``[search] seed``.
            out: The folder for the run directory.

        Raises:
            InputError: Every error of the file, a line each.
        """
        try:
            config = load_config(Path(path), trials=trials, epochs=epochs, seed=seed)
        except InputError:
            recorded = finished_config(Path(path), Path(out), trials, epochs, seed)
            if recorded is None:
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
        """The result, if the run directory holds all of it; None if something is left to do.

        Raises:
            InputError: The run directory is another search's or of other data (of arrays and files;
                others are not read for it, nor a file that is gone), or not a run directory.
        """
        records = self.finished()
        if records and is_local(self.config) and not is_missing(self.config):
            check_same_data(self.directory, data_record(load_split(self.config)))
        result = complete_result(self.config, RunDirectory(self.directory), records)
        if result is None:
            return None
        return replace(result, code_changes=code_changes_at_hand(self.config, self.directory))

    @translate_disk_errors()
    def run(
        self,
        verbose: bool = True,
        fresh: bool = False,
        workers: int | Literal["auto"] | None = None,
        accept_changes: bool = False,
    ) -> SearchResult:
        """Runs the trials that the run directory does not hold yet, and measures the best one.

        Interrupted or killed, the next call goes on where this one was.

        Args:
            verbose: Whether to show a progress bar (on stderr).
            fresh: Whether to start over; the record is deleted once data and builder are checked.
            workers: How many processes train; ``"auto"``: one for every GPU, or as many as the
                cores have ``threads``. None is the config's, 1 if it has none. The trials are the
                same whatever their number (in a process where TensorFlow runs already with
                other than the config's ``threads``, those of convolutional models to rounding).
            accept_changes: Whether to go on with a search although the code of its models changed;
                ``code.json`` then tells what changed, and the first trial with the new code.

        Raises:
            InputError: The data, the builder or an existing run directory does not fit, the code of
                the models changed, or another process is searching there.
            SearchFailedError: Every trial failed.
            WorkFailedError: The processes kept dying, or a checkpoint can't be written.
        """
        directory = RunDirectory(self.directory)
        config = self.config
        workers = worker_count(
            config.search.workers if workers is None else workers, config.search.threads
        )
        alone = workers == 1 and config.search.trial_timeout is None
        if config.in_memory and not alone:
            raise InputError(
                "Search: data and build given as objects stay in this process; workers and "
                "trial_timeout need others. Name them: a file, or package.module:function."
            )
        self._say({} if fresh else self.finished())
        if fresh:
            check_place(directory)
        elif result := self.completed():
            return result
        with locked(self.directory):
            directory.remove_leftovers()
            finished = {} if fresh else finished_trials(config, directory, forget=True)
            # Here, and not above: a finished search is shown without TensorFlow.
            if alone:
                with quiet_start():
                    from tfcourse.search.runtime.execution import execute

                efforts = execute(config, directory, finished, verbose, fresh, accept_changes)
            else:
                efforts = supervise(
                    config, directory, finished, workers, verbose, fresh, accept_changes
                )
            return replace(final_result(self.config, RunDirectory(self.directory)), efforts=efforts)

    @translate_disk_errors()
    def serve(
        self, service: Service, on_serving: Callable[[int], None], accept_changes: bool = False
    ) -> SearchResult:
        """Hands the trials out to workers on other machines; the Python form of ``tfcourse chief``.

        Args:
            service: Where and how.
            on_serving: Called with the port once workers can connect.
            accept_changes: As for `run`.

        Raises:
            InputError, SearchFailedError: As `run`.
        """
        self._say(self.finished())
        if result := self.completed():
            return result
        directory = RunDirectory(self.directory)
        with locked(self.directory):
            finished = finished_trials(self.config, directory, forget=True)
            serve(self.config, directory, finished, service, on_serving, accept_changes)
            return final_result(self.config, RunDirectory(self.directory))

    @translate_disk_errors()
    def finished(self) -> dict[int, TrialRecord]:
        """The trials on record that need not be run again.

        Raises:
            InputError: The run directory is another search's, or not a run directory.
        """
        return finished_trials(self.config, RunDirectory(self.directory))

    def _say(self, records: Mapping[int, TrialRecord]) -> None:
        """Log in what the trials of a discrete space differ from those that are asked for."""
        for line in (*exhaustion(self.config), *repetitions(self.config, records)):
            LOG.warning("%s: %s", self.config.origin, line)
