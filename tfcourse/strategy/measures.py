"""Measures of a trial's model that its record does not hold: its size and its latency."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfcourse.data.nested import Arrays
from tfcourse.errors import InputError, error_line
from tfcourse.search.code.model_config import hash_of_config
from tfcourse.search.config.hyperparameters import builder_arguments, hyperparameters_of
from tfcourse.search.config.load import load_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.store.directory import RunDirectory
from tfcourse.search.trials.latency import latency
from tfcourse.types import KerasModel

__all__ = ["MEASURES", "ModelMeasures"]

MEASURES = ("parameters", "milliseconds")


class ModelMeasures:
    """The size and the latency of trials' models, which are built and not trained.

    Trials with the same arguments of the builder share a model, and its measures; equal models of
    different arguments share the latency.

    Args:
        config: The search; None to read it from the run directory.
        directory: The run directory.

    Raises:
        InputError: The config, its builder or its data is missing.
    """

    def __init__(self, config: SearchConfig | None, directory: Path) -> None:
        try:
            self.config = config or load_config(RunDirectory(directory).config)
            self.split = load_split(self.config)
        except InputError as error:
            raise InputError(
                f"select: {' and '.join(MEASURES)} need the models of the trials, which are built "
                f"again by the search's builder for its data. {error}\nPass the tfcourse.Search "
                "itself if they were objects in Python, or limit recorded metrics alone."
            ) from None
        self._values_of: dict[tuple[str, str], float] = {}
        self._latencies: dict[str, float] = {}
        self._last: tuple[str, str | None, KerasModel] | None = None

    def measure(self, name: str, record: TrialRecord) -> float:
        """Return one of the `MEASURES` of a trial's model.

        Raises:
            InputError: The builder fails for its values.
        """
        key = self._key(record)
        if (name, key) not in self._values_of:
            # Only the last model is kept: a search may have many architectures.
            if self._last is None or self._last[0] != key:
                self._last = key, *self._build(record)
            _, config, model = self._last
            if name == "parameters":
                value = float(model.count_params())
            else:
                value = self._latency_of(model, config or key)
            self._values_of[name, key] = value
        return self._values_of[name, key]

    def _latency_of(self, model: KerasModel, config: str) -> float:
        """Return the latency, of models with equal configurations that of the first."""
        if config not in self._latencies:
            self._latencies[config] = latency(model, self._example)
        return self._latencies[config]

    @property
    def _example(self) -> Arrays:
        return self.split.raw(self.split.dev.rows(slice(1))).x

    def _values(self, record: TrialRecord) -> Mapping[str, Any]:
        from tfcourse.search.trials.trainings import with_origin

        return with_origin(self.config.search.strategy, record.trial, record.values)[0]

    def _key(self, record: TrialRecord) -> str:
        """Return a text that is the same for trials with the same architecture."""
        config = self.config
        values = hyperparameters_of(config.model, config.training, self._values(record))
        return repr(sorted(builder_arguments(config.builder, values).items()))

    def _build(self, record: TrialRecord) -> tuple[str | None, KerasModel]:
        """Return the hash of a trial's model, and the model as it takes raw data."""
        from tfcourse.search.trials.building import compiled_model
        from tfcourse.search.trials.normalized import normalize, with_scaling

        try:
            model = compiled_model(self.config, self.split, self._values(record))
            config = hash_of_config(model)  # with the scaling, the compilation is part of it
            scaling = normalize(self.split, self.config.data.normalize)[1]
            model = with_scaling(model, scaling, self.split.shape)
            if not model.built:
                model(self._example)
        except Exception as error:
            raise InputError(
                f"select: the model of trial {record.trial} can't be built: {error_line(error)}. "
                "Correct the builder, or limit recorded metrics alone."
            ) from error
        return config, model
