"""One trial: its values → a model → its training → its record. Nothing of keras-tuner."""

import datetime
import shutil
import time
import traceback
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from tfcourse.data.scaling import Scaling
from tfcourse.data.splits import Split
from tfcourse.search.config.load import SearchConfig
from tfcourse.search.record.effort import Effort
from tfcourse.search.record.records import TrialRecord
from tfcourse.search.trials.building import builds_trial
from tfcourse.search.trials.callbacks import trial_callbacks
from tfcourse.search.trials.folds import Training, fold_split, trainings, with_origin
from tfcourse.search.trials.judging import combine, judge
from tfcourse.search.trials.normalized import normalize, with_scaling
from tfcourse.search.trials.sharing import trials_per_program
from tfcourse.training.data.arrays import Arrays
from tfcourse.training.fit import fit
from tfcourse.training.programs.jit import choose_jit
from tfcourse.training.reuse.pool import ModelPool

__all__ = ["TrialRunner"]

SAVE_EVERY = datetime.timedelta(seconds=10)
# A trial that takes less is sooner trained again than saved.
WORTH_SAVING = 5.0


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
        self._seconds = WORTH_SAVING

    def run(self, number: int, values: Mapping[str, Any]) -> tuple[TrialRecord, Any]:
        """Trains trial ``number``; a failure becomes a record with its reason.

        Returns:
            The record and, if the trial completed, the model of its last training with the
            weights of its best epoch; the next trial may train the same model. It takes examples
            that are not normalized.
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
        values, origin = with_origin(self.config, number, values)
        for training in trainings(self.config, origin):
            try:
                model, history = self.train(number, values, training)
                outcomes.append(judge(history, self.config))
            except Exception as error:
                outcomes.append(_failure(error))
            if outcomes[-1]["status"] == "failed":
                message = f"{outcomes[-1]['message']} {training.name}".rstrip()
                return None, {**outcomes[-1], "message": message}
        *_, scaling = self.data(training.fold)
        return with_scaling(model, scaling, self.split.train.x.shape[1:]), combine(outcomes)

    def train(
        self, number: int, values: Mapping[str, Any], training: Training
    ) -> tuple[Any, dict[str, list[float]]]:
        """The trained model, with the weights of its best epoch, and its history."""
        config, (train, dev, _) = self.config, self.data(training.fold)
        size = values.get("batch_size", config.training.batch_size)
        epochs = values.get("epochs", config.training.epochs)
        folder = self._folder(number, training)
        trained: list[Any] = []

        def run(model: Any) -> dict[str, list[float]]:
            if trained and folder is not None:
                shutil.rmtree(folder)  # this time from the beginning
            trained.append(model)
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
                validation_batch_size=min(dev.count, 1024),
                seed=training.seed,
                jit_compile=self.jit_compile(model, train, size, epochs),
                on_nan="ignore",  # the record of a failed trial keeps its history up to there
                checkpoint_dir=folder,
                save_every=SAVE_EVERY,
            ).history

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

    def _folder(self, number: int, training: Training) -> Path | None:
        """Where the training's checkpoints go, or are; None if it is not worth it."""
        if self.checkpoints is None:
            return None
        folder = self.checkpoints / f"{number:04d}" / f"{training.fold}-{training.seed}"
        return folder if folder.exists() or self._seconds >= WORTH_SAVING else None

    def jit_compile(
        self, model: Any, train: Arrays, batch_size: int, epochs: int
    ) -> bool | Literal["auto"]:
        """Whether XLA pays for all trials that share the program, and not for this one alone."""
        if self.config.training.jit_compile != "auto" or not model.built:
            return self.config.training.jit_compile
        steps = train.batches(batch_size) * epochs * trials_per_program(self.config)
        return choose_jit(model, train.first(batch_size), batch_size, round(steps))

    def _data_of(self, fold: int) -> tuple[Arrays, Arrays, Scaling | None]:
        """Train and dev set of a fold, normalized by its own train set; converted only once."""
        split, scaling = normalize(fold_split(self.split, self.config, fold), self.config)
        return Arrays.of(split.train.x, split.train.y), Arrays.of(split.dev.x, split.dev.y), scaling


def _failure(error: Exception) -> dict[str, Any]:
    message = f"{type(error).__name__}: {error}".splitlines()[0]
    return {"status": "failed", "message": message, "traceback": traceback.format_exc()}
