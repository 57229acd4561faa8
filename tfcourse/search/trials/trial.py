"""One trial, from its hyperparameters to its record."""

import datetime
import shutil
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakSet

from tfcourse.data.splits import Split
from tfcourse.imports import exit_as_error
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.folds import fold_split
from tfcourse.search.data.weights import with_class_weights
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.satisficing import judge
from tfcourse.search.records.savable_model import SavableModel
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.strategies.pruning import TrialLimits
from tfcourse.search.trials import own_callbacks
from tfcourse.search.trials.building import build_function
from tfcourse.search.trials.callbacks import trial_callbacks
from tfcourse.search.trials.costs import ModelCosts
from tfcourse.search.trials.feeding import LARGEST_BATCH, Examples, fit_arguments, of_part
from tfcourse.search.trials.history_names import series_of_all_epochs
from tfcourse.search.trials.normalized import AnyScaling, ScaledModel, normalize, with_scaling
from tfcourse.search.trials.own_fit import fit_by_builder
from tfcourse.search.trials.precision import dtype_policy
from tfcourse.search.trials.resumption import resume_or_restart
from tfcourse.search.trials.schedules import schedule_callbacks
from tfcourse.search.trials.scoring import combine, failure, score_history
from tfcourse.search.trials.sharing import trials_per_program
from tfcourse.search.trials.trainings import Training, trainings, with_origin
from tfcourse.training.checkpoints.checkpoint import CheckpointFolder
from tfcourse.training.checkpoints.errors import CheckpointError
from tfcourse.training.fit import fit
from tfcourse.training.programs.jit import Auto
from tfcourse.training.reuse.pool import ModelPool
from tfcourse.types import Hyperparameters, KerasModel

__all__ = ["LARGEST_BATCH", "TrialRunner"]

SAVE_EVERY = datetime.timedelta(seconds=10)
# Seconds of a trial from which on checkpoints pay.
WORTH_SAVING = 5.0
MAX_CHECKPOINTS = 3


class TrialRunner:
    """A runner that trains a search's trials with `tfcourse.fit` and scores them.

    A trial writes checkpoints if the one before it took more than a few seconds.

    Args:
        config: The search.
        split: The data.
        worker: The name of this process in the records.
        checkpoints: The folder for the checkpoints of trials; None writes none.
        limits: Returns the limits of a trial by its number and epochs; None prunes no trial.
        files: The folder for files of callbacks of one's own.

    Attributes:
        data: Returns the train and dev set of a fold as `Examples`, and their scaling.
    """

    def __init__(
        self,
        config: SearchConfig,
        split: Split,
        worker: str = "main",
        checkpoints: Path | None = None,
        limits: Callable[[int, int], TrialLimits | None] | None = None,
        files: Path = Path("callbacks"),
    ) -> None:
        self.config, self.split, self.worker = config, split, worker
        self.checkpoints, self._limits, self.files = checkpoints, limits, files
        self.pool = ModelPool(config.search.reuse_models)
        self._costs = ModelCosts(config, split)
        # The data of one fold at a time; without folds it is computed only once.
        self.data = lru_cache(maxsize=1)(self._fold_data)
        self._scalable: WeakSet[KerasModel] = WeakSet()
        self._seconds = WORTH_SAVING

    def run(self, number: int, values: Hyperparameters) -> tuple[TrialRecord, SavableModel | None]:
        """Train trial ``number``; a failure becomes a record with its message.

        Returns:
            The record and, if the trial did not fail, the model of its last training, or an
            object that saves it as a model that takes unscaled examples. The next trial may train
            the same model.

        Raises:
            CheckpointError: Its checkpoints can't be written or read. That is no failure of the
                trial: the next ones would fail as well, as on a full disk.
        """
        start = time.perf_counter()
        model, result = self._train_all(number, values)
        self._seconds = time.perf_counter() - start
        return self.record(number, values, self._seconds, result), model

    def record(
        self, number: int, values: Hyperparameters, seconds: float, result: Mapping[str, Any]
    ) -> TrialRecord:
        """Return the record of a trial that took this time, from the other fields of it."""
        fields = {**result, "values": dict(values), "seconds": round(seconds, 3)}
        return judge(TrialRecord(trial=number, worker=self.worker, **fields), self.config.bounds)

    def _train_all(
        self, number: int, values: Hyperparameters
    ) -> tuple[SavableModel | None, dict[str, Any]]:
        """Return the model of a trial's last training, if none failed, and its record's fields."""
        results: list[dict[str, Any]] = []
        values, origin = with_origin(self.config.search.strategy, number, values)
        search, plan, direction = self.config.search, self.config.training, self.config.direction
        limits, objective = self.limits(number, values), search.objective
        for training in trainings(origin, search.seed, plan.folds, plan.repeats):
            scores = [result["score"] for result in results]
            try:
                with exit_as_error():  # a layer, metric or loss of the user's may call sys.exit
                    by_epoch = None if scores else limits
                    model, history = self.train(number, values, training, by_epoch)
                score = (objective, direction, limits, scores, search.score_at)
                results.append(score_history(history, *score))
            except CheckpointError:
                raise
            except Exception as error:
                results.append(failure(error))
            if (end := results[-1])["status"] != "completed":
                end["message"] = f"{end['message']} {training.name}".rstrip()
                break
        if end["status"] == "failed":
            return None, end
        try:
            curves = None if limits is None else objective
            *_, scaling = self.data(training.fold)
            fields = {**combine(results, curves), **self._costs.of(model, scaling)}
            return self._with_scaling(model, scaling), fields
        except Exception as error:
            return None, failure(error)

    def _with_scaling(self, model: KerasModel, scaling: AnyScaling | None) -> SavableModel:
        """Return the model, or an object that saves it with its scaling, if any, in front.

        The scaling is tried on each model once: it raises an error if the model can't have it.
        """
        if scaling is None:
            return model
        if model not in self._scalable:
            with_scaling(model, scaling, self.split.shape)
            self._scalable.add(model)
        return ScaledModel(model, scaling, self.split.shape)

    def limits(self, number: int, values: Hyperparameters) -> TrialLimits | None:
        """Return the limits below which a trial is pruned; None if there are none."""
        return None if self._limits is None else self._limits(number, self._epochs_of(values))

    def train(
        self,
        number: int,
        values: Hyperparameters,
        training: Training,
        limits: TrialLimits | None = None,
    ) -> tuple[KerasModel, dict[str, list[float]]]:
        """Return the trained model, with the weights that its score is of, and its history."""
        config, (train, dev, _) = self.config, self.data(training.fold)
        size = int(values.get("batch_size", config.training.batch_size))
        saved = None if config.builder.fit else self._checkpoints(number, training)
        trained: list[KerasModel] = []
        place = own_callbacks.trial_place(config, self.files, number, values, training)
        if saved is None or not saved.files():
            shutil.rmtree(place.folder, ignore_errors=True)
        own = [own_callbacks.make_callbacks(config, place)]
        alone = own_callbacks.reason_for_new_model(config, own[0])

        def fit_once(model: KerasModel) -> dict[str, list[float]]:
            arguments = fit_arguments(train, dev, size, training.seed, config.training.batch_size)
            arguments["epochs"] = self._epochs_of(values)
            callbacks = [
                # First: what they add to an epoch's logs may be the objective.
                *(own.pop() if own else own_callbacks.make_callbacks(config, place)),
                *trial_callbacks(config, limits),
                *schedule_callbacks(config, values, train),
            ]
            if config.builder.fit:
                return fit_by_builder(config, model, arguments, callbacks)
            history = fit(
                model,
                **arguments,
                verbose=0,
                callbacks=callbacks,
                jit_compile=self._jit_compile_of(model, alone),
                on_nan="ignore",  # the record of a failed trial has its history up to the NaN
                checkpoint_dir=None if saved is None else saved.path,
                save_every=SAVE_EVERY,
                keep_checkpoints=MAX_CHECKPOINTS,
            ).history
            return series_of_all_epochs(history)

        def run(model: KerasModel) -> dict[str, list[float]]:
            if trained and saved is not None:
                saved.clear()  # a second model is trained from the beginning
            trained.append(model)
            return fit_once(model) if saved is None else resume_or_restart(fit_once, model, saved)

        build = build_function(config, self.split, values, training.seed)
        with dtype_policy(config.training):
            return self.pool.train(build, run, train.first(size), alone)

    def _epochs_of(self, values: Hyperparameters) -> int:
        return int(values.get("epochs", self.config.training.epochs))

    @property
    def effort(self) -> Effort:
        """The models and programs that the trials took so far."""
        counts = self.pool.counts
        return Effort(counts.new + counts.refused, counts.reused, 0, counts.traces)

    @property
    def steps_of_epoch(self) -> int:
        """The number of steps of an epoch with the config's batch size."""
        train, *_ = self.data(0)
        return train.batches(self.config.training.batch_size)

    def _checkpoints(self, number: int, training: Training) -> CheckpointFolder | None:
        """Return the folder of a training's checkpoints; None if they don't pay."""
        if self.checkpoints is None:
            return None
        folder = self.checkpoints / f"{number:04d}" / f"{training.fold}-{training.seed}"
        if not folder.exists() and self._seconds < WORTH_SAVING:
            return None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"{folder} can't be created ({error}); is the disk full? Free some space: "
                "the same command then resumes the search."
            ) from error
        return CheckpointFolder(folder, MAX_CHECKPOINTS)

    @property
    def jit_compile(self) -> bool | Auto:
        """The argument for `tfcourse.fit`; ``"auto"`` counts all trials that share a program."""
        setting = self.config.training.jit_compile
        return Auto(trials_per_program(self.config)) if setting == "auto" else setting

    def _jit_compile_of(self, model: KerasModel, alone: str | None) -> bool | Auto:
        """Return `jit_compile` for a model, whose program may serve its own training alone."""
        jit_compile = self.jit_compile
        if isinstance(jit_compile, Auto) and (alone or not self.pool.can_share(model)):
            return Auto()
        return jit_compile

    def _fold_data(self, fold: int) -> tuple[Examples, Examples, AnyScaling | None]:
        """Return train and dev set of a fold, normalized by its train set, and the scaling."""
        split = fold_split(self.split, self.config, fold)
        split, scaling = normalize(split, self.config.data.normalize)
        train = with_class_weights(self.config, split)
        return of_part(train), of_part(split.dev), scaling
