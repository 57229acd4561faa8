"""One trial: its values → a model → its training → its record. Nothing of keras-tuner."""

import math
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
import numpy as np

from tfcourse import optimizers
from tfcourse.data.splits import Split
from tfcourse.errors import InputError
from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.models.build import BUILDERS
from tfcourse.search.config import SearchConfig
from tfcourse.search.results import TrialRecord
from tfcourse.search.sampling import trial_seed
from tfcourse.search.sharing import trials_per_program
from tfcourse.search.tables import TrainingTable
from tfcourse.training.arrays import Arrays
from tfcourse.training.fit import fit
from tfcourse.training.jit import choose_jit
from tfcourse.training.reuse.pool import ModelPool
from tfcourse.training.reuse.recipe import PureBuild
from tfcourse.training.reuse.seeding import set_seed

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
        classes: The number of classes.

    Raises:
        InputError: The builder gave something else than a model with an output a class.
    """
    set_seed(seed)
    builder = config.builder
    model = builder.function(shape, classes, **_builder_arguments(config, values))
    if not isinstance(model, keras.Model):
        raise InputError(
            f'builder "{builder.name}" must return a keras.Model. Received: {type(model).__name__}.'
        )
    if model.built and tuple(model.output_shape) != (None, classes):
        raise InputError(
            f'builder "{builder.name}" must give one output a class, shape '
            f"{(None, classes)}. Received: {model.output_shape}."
        )
    model.compile(
        _optimizer(config, values),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def _given(config: SearchConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    """All hyperparameters of a trial: its own win over the config's fixed ones."""
    return config.training.model_dump(exclude_none=True) | config.model.arguments | dict(values)


def _builder_arguments(config: SearchConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    builder = config.builder
    return {
        name: value
        for name, value in _given(config, values).items()
        if name in builder.arguments
        or (builder.takes_any and name not in TrainingTable.model_fields)
    }


def _optimizer(config: SearchConfig, values: Mapping[str, Any]) -> Any:
    given = _given(config, values)
    name = given["optimizer"]
    return optimizers.create(name, **{n: given[n] for n in OPTIMIZER_ARGUMENTS[name] if n in given})


class TrialRunner:
    """Trains a search's trials with `tfcourse.fit` and judges them.

    Args:
        config: The search.
        split: The data.
        worker: Who runs them, for the records.
    """

    def __init__(self, config: SearchConfig, split: Split, worker: str = "main") -> None:
        self.config, self.split, self.worker = config, split, worker
        self.pool = ModelPool(config.search.reuse_models)
        # Converted once, and not by every trial.
        self.train_data = Arrays.of(split.train.x, split.train.y)
        self.dev_data = Arrays.of(split.dev.x, split.dev.y)

    def run(self, number: int, values: Mapping[str, Any]) -> tuple[TrialRecord, Any]:
        """Trains trial ``number``; a failure becomes a record with its reason.

        Returns:
            The record and, if the trial completed, its model with the weights of its best epoch;
            the next trial may train the same model.
        """
        start = time.perf_counter()
        model: Any = None
        outcome: dict[str, Any]
        try:
            model, history = self.train(number, values)
            outcome = self._judge(history)
        except Exception as error:
            message = f"{type(error).__name__}: {error}".splitlines()[0]
            outcome = {
                "status": "failed",
                "message": message,
                "traceback": traceback.format_exc(),
            }
        seconds = round(time.perf_counter() - start, 3)
        record = TrialRecord(
            trial=number, values=dict(values), seconds=seconds, worker=self.worker, **outcome
        )
        return record, model if record.status == "completed" else None

    def train(self, number: int, values: Mapping[str, Any]) -> tuple[Any, dict[str, list[float]]]:
        """The trained model of a trial, with the weights of its best epoch, and its history."""
        config = self.config
        values, origin = dict(values), number
        if config.search.strategy == "hyperband":
            # A trial that goes on with another is that run again, for longer.
            origin = values.pop("continues", number)
        seed = trial_seed(config.search.seed, origin)
        size = values.get("batch_size", config.training.batch_size)

        def train(model: Any) -> dict[str, list[float]]:
            return self._fit(model, values, size, seed)

        return self.pool.train(self._build(values, seed), train, self.train_data.first(size))

    def _build(self, values: Mapping[str, Any], seed: int) -> Callable[[], Any]:
        config, shape = self.config, self.split.train.x.shape[1:]

        def build() -> Any:
            return build_trial(config, values, seed, shape, self.split.classes)

        if config.builder.function not in BUILDERS.values():
            return build
        # Our own builders depend on nothing else.
        arguments = _builder_arguments(config, values)
        optimizer = _given(config, values)["optimizer"]
        policy = keras.config.dtype_policy().name, keras.config.floatx(), keras.config.epsilon()
        origin = (config.builder.name, repr(sorted(arguments.items())), optimizer, policy)
        return PureBuild(origin, seed, build, lambda: _optimizer(config, values))

    def _fit(
        self, model: Any, values: Mapping[str, Any], batch_size: int, seed: int
    ) -> dict[str, list[float]]:
        config = self.config
        epochs = values.get("epochs", config.training.epochs)
        x, y = self.train_data.data
        return fit(
            model,
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=0,
            callbacks=[_BestWeights(config.search.objective, config.direction), _StopIfNotFinite()],
            validation_data=self.dev_data.data,
            validation_batch_size=min(self.dev_data.count, 1024),
            seed=seed,
            jit_compile=self._jit_compile(model, batch_size, epochs),
            on_nan="ignore",  # the record of a failed trial keeps its history up to there
        ).history

    def _jit_compile(self, model: Any, batch_size: int, epochs: int) -> bool | Literal["auto"]:
        """Whether XLA pays for all trials that share the program, and not for this one alone."""
        if self.config.training.jit_compile != "auto" or not model.built:
            return self.config.training.jit_compile
        steps = self.train_data.batches(batch_size) * epochs * trials_per_program(self.config)
        return choose_jit(model, self.train_data.first(batch_size), batch_size, round(steps))

    def _judge(self, history: Mapping[str, list[float]]) -> dict[str, Any]:
        """Status, score and best epoch of a finished training."""
        scores = np.asarray(history[self.config.search.objective])
        finite = np.isfinite(list(history.values()))
        if not finite.all():
            epoch = int(np.argmin(finite.all(axis=0)))
            metric = next(m for m in ("loss", *history) if not math.isfinite(history[m][epoch]))
            message = f"The {metric} was not finite in epoch {epoch + 1}: {history[metric][epoch]}."
            return {"status": "failed", "message": message, "history": history}
        best = int(np.argmax(scores) if self.config.direction == "max" else np.argmin(scores))
        return {
            "status": "completed",
            "score": float(scores[best]),
            "best_epoch": best + 1,
            "history": history,
        }


class _StopIfNotFinite(keras.callbacks.Callback):
    """Ends a training whose loss became NaN or infinite, at the end of the epoch."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if not math.isfinite((logs or {})["loss"]):
            self.model.stop_training = True


class _BestWeights(keras.callbacks.Callback):
    """Leaves the model with the weights of its best epoch, kept in memory until the end.

    Keras's ``EarlyStopping`` does the same, and takes as long over it as some epochs do.
    """

    def __init__(self, objective: str, direction: str) -> None:
        super().__init__()
        self.objective, self.sign = objective, 1 if direction == "max" else -1
        self.best = -math.inf
        self.weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        value = self.sign * (logs or {})[self.objective]
        if value > self.best or self.weights is None:
            self.best = -math.inf if math.isnan(value) else value
            self.weights = [weight.value.numpy() for weight in self.model.weights]

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        assert self.weights is not None
        for weight, best in zip(self.model.weights, self.weights, strict=True):
            weight.value.assign(best, read_value=False)
