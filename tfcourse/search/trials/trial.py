"""One trial: its values → a model → its training → its record. Nothing of keras-tuner."""

import datetime
import logging
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakSet

from tfcourse.data.scaling import Scaling
from tfcourse.data.splits import Split
from tfcourse.errors import error_line, traceback_text
from tfcourse.imports import exit_as_error
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.folds import fold_split
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.trials.building import builds_trial
from tfcourse.search.trials.callbacks import trial_callbacks
from tfcourse.search.trials.normalized import ScaledModel, normalize, with_scaling
from tfcourse.search.trials.scoring import combine, judge
from tfcourse.search.trials.sharing import trials_per_program
from tfcourse.search.trials.trainings import Training, trainings, with_origin
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder
from tfcourse.training.checkpoints.errors import CheckpointError, UnusableCheckpointError
from tfcourse.training.data.arrays import Arrays
from tfcourse.training.fit import fit
from tfcourse.training.programs.jit import Auto
from tfcourse.training.reuse.pool import ModelPool

__all__ = ["LARGEST_BATCH", "TrialRunner"]

LOG = logging.getLogger("tfcourse")
SAVE_EVERY = datetime.timedelta(seconds=10)
# A trial that takes less is sooner trained again than saved.
WORTH_SAVING = 5.0
# Of examples that a model is only evaluated on.
LARGEST_BATCH = 1024
KEEP = 3


class TrialRunner:
    """Trains a search's trials with `tfcourse.fit` and judges them.

    A trial keeps checkpoints on the way if the one before it took more than a few seconds.

    Args:
        config: The search.
        split: The data.
        worker: Who runs them, for the records.
        checkpoints: Gives the folder for the checkpoints of a trial; None keeps none.

    Attributes:
        data: Gives train and dev set of a fold, as `Arrays`, and how they were normalized.
    """

    def __init__(
        self,
        config: SearchConfig,
        split: Split,
        worker: str = "main",
        checkpoints: Path | None = None,
    ) -> None:
        self.config, self.split, self.worker = config, split, worker
        self.checkpoints = checkpoints
        self.pool = ModelPool(config.search.reuse_models)
        # The data of one fold at a time: of a search without folds it is made once.
        self.data = lru_cache(maxsize=1)(self._data_of)
        self._scalable: WeakSet[Any] = WeakSet()
        self._seconds = WORTH_SAVING

    def run(self, number: int, values: Mapping[str, Any]) -> tuple[TrialRecord, Any]:
        """Trains trial ``number``; a failure becomes a record with its reason.

        Returns:
            The record and, if the trial completed, the model of its last training with the
            weights of its best epoch, or what saves that as one that takes examples that are not
            normalized; the next trial may train the same model.

        Raises:
            CheckpointError: Its checkpoints can't be written or read, which is no failure of the
                trial: as on a full disk, the next ones would fail as well.
        """
        start = time.perf_counter()
        model, outcome = self._train_all(number, values)
        self._seconds = time.perf_counter() - start
        record = TrialRecord(
            trial=number,
            values=dict(values),
            seconds=round(self._seconds, 3),
            worker=self.worker,
            **outcome,
        )
        return record, model

    def _train_all(self, number: int, values: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The model of a trial's last training, None if one failed, and the outcome of all."""
        outcomes: list[dict[str, Any]] = []
        model: Any = None
        values, origin = with_origin(self.config.search.strategy, number, values)
        seed, plan = self.config.search.seed, self.config.training
        for training in trainings(origin, seed, plan.folds, plan.repeats):
            try:
                with exit_as_error():  # of a layer, a metric or a loss of the user's
                    model, history = self.train(number, values, training)
                outcomes.append(judge(history, self.config))
            except CheckpointError:
                raise
            except Exception as error:
                outcomes.append(_failure(error))
            if outcomes[-1]["status"] == "failed":
                message = f"{outcomes[-1]['message']} {training.name}".rstrip()
                return None, {**outcomes[-1], "message": message}
        try:
            return self._unscaled(model, training.fold), combine(outcomes)
        except Exception as error:
            return None, _failure(error)

    def _unscaled(self, model: Any, fold: int) -> Any:
        """What saves a model as one that takes the data as it is; a model that can't be fails."""
        *_, scaling = self.data(fold)
        if scaling is None:
            return model
        shape = self.split.train.x.shape[1:]
        if model not in self._scalable:
            with_scaling(model, scaling, shape)
            self._scalable.add(model)
        return ScaledModel(model, scaling, shape)

    def train(
        self, number: int, values: Mapping[str, Any], training: Training
    ) -> tuple[Any, dict[str, list[float]]]:
        """The trained model, with the weights of its best epoch, and its history."""
        config, (train, dev, _) = self.config, self.data(training.fold)
        size = values.get("batch_size", config.training.batch_size)
        epochs = values.get("epochs", config.training.epochs)
        saved = self._checkpoints(number, training)
        trained: list[Any] = []

        def once(model: Any) -> dict[str, list[float]]:
            x, y = train.data
            return fit(
                model,
                x,
                y,
                batch_size=size,
                epochs=epochs,
                verbose=0,
                callbacks=trial_callbacks(config),
                validation_data=dev.data,
                validation_batch_size=min(dev.count, LARGEST_BATCH),
                seed=training.seed,
                jit_compile=self.jit_compile,
                on_nan="ignore",  # the record of a failed trial keeps its history up to there
                checkpoint_dir=None if saved is None else saved.path,
                save_every=SAVE_EVERY,
                keep_checkpoints=KEEP,
            ).history

        def run(model: Any) -> dict[str, list[float]]:
            if trained and saved is not None:
                saved.clear()  # this time from the beginning
            trained.append(model)
            return once(model) if saved is None else _fit_or_begin_anew(once, model, saved)

        shape = self.split.train.x.shape[1:]
        build = builds_trial(config, values, training.seed, shape, self.split.classes)
        return self.pool.train(build, run, train.first(size))

    @property
    def effort(self) -> Effort:
        """What the trials so far took."""
        counts = self.pool.counts
        return Effort(counts.new + counts.refused, counts.reused, 0, counts.traces)

    @property
    def steps_of_epoch(self) -> int:
        """The steps of an epoch with the config's batch size."""
        train, *_ = self.data(0)
        return train.batches(self.config.training.batch_size)

    def _checkpoints(self, number: int, training: Training) -> CheckpointFolder | None:
        """Where the training's checkpoints go, or are; None if it is not worth it."""
        if self.checkpoints is None:
            return None
        folder = self.checkpoints / f"{number:04d}" / f"{training.fold}-{training.seed}"
        if not folder.exists() and self._seconds < WORTH_SAVING:
            return None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"{folder} can't be made ({error}). Mend that (is the disk full?), and the same "
                "search goes on."
            ) from error
        return CheckpointFolder(folder, KEEP)

    @property
    def jit_compile(self) -> bool | Auto:
        """Whether XLA pays for all trials that share the program, and not for one alone."""
        asked = self.config.training.jit_compile
        return Auto(trials_per_program(self.config)) if asked == "auto" else asked

    def _data_of(self, fold: int) -> tuple[Arrays, Arrays, Scaling | None]:
        """Train and dev set of a fold, normalized by its own train set; converted only once."""
        split, scaling = normalize(fold_split(self.split, self.config, fold), self.config)
        return Arrays.of(split.train.x, split.train.y), Arrays.of(split.dev.x, split.dev.y), scaling


def _fit_or_begin_anew(
    fit_once: Callable[[Any], dict[str, list[float]]], model: Any, saved: CheckpointFolder
) -> dict[str, list[float]]:
    """Fits the model from its checkpoints; without those if it can't go on from any."""
    try:
        return fit_once(model)
    except UnusableCheckpointError as error:
        # Cut short, or of the model that the builder gave before its code was changed.
        LOG.warning("A trial is trained from its beginning: %s", error)
        saved.clear()
        return fit_once(model)


def _failure(error: Exception) -> dict[str, Any]:
    message = error_line(error)
    return {"status": "failed", "message": message, "traceback": traceback_text()}
