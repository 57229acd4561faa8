"""One trial: its values → a model → its training → its record. Nothing of keras-tuner."""

import math
import time
import traceback
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import keras

from tfcourse.data.scaling import Scaling
from tfcourse.data.splits import Split
from tfcourse.errors import InputError
from tfcourse.search import optimizers
from tfcourse.search.compilation import keras_metrics, stopping_callbacks
from tfcourse.search.config import SearchConfig
from tfcourse.search.folds import Training, fold_split, trainings
from tfcourse.search.judging import combine, judge
from tfcourse.search.normalized import normalize, with_scaling
from tfcourse.search.records import TrialRecord
from tfcourse.search.tables import TrainingTable
from tfcourse.training.fit import fit

__all__ = ["TrialRunner", "build_trial"]


def build_trial(
    config: SearchConfig, values: Mapping[str, Any], seed: int, shape: tuple[int, ...], classes: int
) -> Any:
    """The compiled model of a trial: its weights and dropout come from ``seed``.

    Args:
        config: The search.
        values: The trial's hyperparameters; they win over the config's fixed ones.
        seed: The trial's seed. It is set globally, for any builder's layers to draw from.
        shape: The shape of one example.
        classes: The number of outputs.

    Raises:
        InputError: The builder gave something else than a model with an output a class or number.
    """
    keras.utils.set_random_seed(seed)
    given = config.training.model_dump(exclude_none=True) | config.model.arguments | dict(values)
    builder = config.builder
    arguments = {
        name: value
        for name, value in given.items()
        if name in builder.arguments
        or (builder.takes_any and name not in TrainingTable.model_fields)
    }
    model = builder.function(shape, classes, **arguments)
    if not isinstance(model, keras.Model):
        raise InputError(
            f'builder "{builder.name}" must return a keras.Model. Received: {type(model).__name__}.'
        )
    each = "number" if config.targets == "numbers" else "class"
    if model.built and tuple(model.output_shape) != (None, classes):
        raise InputError(
            f'builder "{builder.name}" must give one output a {each}, shape '
            f"{(None, classes)}. Received: {model.output_shape}."
        )
    if builder.compiles:
        return model
    name = given["optimizer"]
    hyperparameters = {n: given[n] for n in optimizers.ARGUMENTS[name] if n in given}
    model.compile(
        optimizers.create(name, **hyperparameters),
        loss=config.training.loss,
        metrics=keras_metrics(config.training),
    )
    return model


class TrialRunner:
    """Trains a search's trials with `tfcourse.fit` and judges them.

    Args:
        config: The search.
        split: The data.
        worker: Who runs them, for the records.
    """

    def __init__(self, config: SearchConfig, split: Split, worker: str = "main") -> None:
        self.config, self.split, self.worker = config, split, worker
        # The data of one fold at a time: of a search without folds it is made once.
        self._data = lru_cache(maxsize=1)(self._data_of)

    def run(self, number: int, values: Mapping[str, Any]) -> tuple[TrialRecord, Any]:
        """Trains trial ``number``; a failure becomes a record with its reason.

        Returns:
            The record and, if the trial completed, the model of its last training with the
            weights of its best epoch. It takes examples that are not normalized.
        """
        start = time.perf_counter()
        model, outcome = self._train_all(number, values)
        seconds = round(time.perf_counter() - start, 3)
        record = TrialRecord(
            trial=number, values=dict(values), seconds=seconds, worker=self.worker, **outcome
        )
        return record, model

    def _train_all(self, number: int, values: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The model of a trial's last training, None if one failed, and the outcome of all."""
        outcomes: list[dict[str, Any]] = []
        model: Any = None
        values, origin = dict(values), number
        if self.config.search.strategy == "hyperband":
            # A trial that goes on with another is that run again, for longer.
            origin = values.pop("continues", number)
        for training in trainings(self.config, origin):
            try:
                model, history = self.train(number, values, training)
                outcomes.append(judge(history, self.config))
            except Exception as error:
                outcomes.append(_failure(error))
            if outcomes[-1]["status"] == "failed":
                message = f"{outcomes[-1]['message']} {training.name}".rstrip()
                return None, {**outcomes[-1], "message": message}
        _, scaling = self._data(training.fold)
        return with_scaling(model, scaling, self.split.train.x.shape[1:]), combine(outcomes)

    def train(
        self, number: int, values: Mapping[str, Any], training: Training
    ) -> tuple[Any, dict[str, list[float]]]:
        """The trained model, with the weights of its best epoch, and its history."""
        config, (split, _) = self.config, self._data(training.fold)
        shape = split.train.x.shape[1:]
        model = build_trial(config, values, training.seed, shape, split.classes)
        epochs = values.get("epochs", config.training.epochs)
        history = fit(
            model,
            split.train.x,
            split.train.y,
            batch_size=values.get("batch_size", config.training.batch_size),
            epochs=epochs,
            verbose=0,
            callbacks=[*stopping_callbacks(config, epochs), _StopIfNotFinite()],
            validation_data=(split.dev.x, split.dev.y),
            validation_batch_size=min(len(split.dev.y), 1024),
            seed=training.seed,
            jit_compile=config.training.jit_compile,
            on_nan="ignore",  # the record of a failed trial keeps its history up to there
        ).history
        return model, history

    def _data_of(self, fold: int) -> tuple[Split, Scaling | None]:
        """The data of a fold, normalized by its own train set."""
        return normalize(fold_split(self.split, self.config, fold), self.config)


def _failure(error: Exception) -> dict[str, Any]:
    message = f"{type(error).__name__}: {error}".splitlines()[0]
    return {"status": "failed", "message": message, "traceback": traceback.format_exc()}


class _StopIfNotFinite(keras.callbacks.Callback):
    """Ends a training whose loss became NaN or infinite, at the end of the epoch."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if not math.isfinite((logs or {})["loss"]):
            self.model.stop_training = True
