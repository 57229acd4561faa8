"""keras-tuner's own random search over the trials of one of our searches."""

import contextlib
import io
import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import keras_tuner

from tfcourse.data.splits import Split
from tfcourse.search.config.load import load_config
from tfcourse.search.config.search_config import SearchConfig
from tfcourse.search.data.loading import load_split
from tfcourse.search.space.parameters import Choice, Parameter
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.strategies.proposals import propose
from tfcourse.search.trials.building import build_trial
from tfcourse.types import KerasModel

__all__ = ["search_file", "stock_search", "to_hyperparameters"]


def stock_search(config: SearchConfig, split: Split) -> tuple[list[float], dict[str, float]]:
    """Run ``keras_tuner.RandomSearch`` on the models, values, epochs and data of a config's trials.

    Only the source of the values differs: they are those of our trials. Like our search it ends
    with the best model, loaded from its file, on the test set.

    Returns:
        The scores of the trials, and the test metrics.
    """
    values = [
        dict(propose(config.study, number, {}) or {}) for number in range(config.search.trials)
    ]
    train, dev, test = split.train, split.dev, split.test
    assert test is not None, "the bench's own data has one"
    oracle = _Oracle(
        values,
        objective=keras_tuner.Objective(config.search.objective, config.direction),
        max_trials=len(values),
        hyperparameters=to_hyperparameters(config.space),
        tune_new_entries=False,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # Keras's, of optimizer state that it does not load
        model = _Model(config, split, values)
        # What keras_tuner.RandomSearch is, with the oracle above.
        tuner = keras_tuner.Tuner(oracle, model, directory=folder, project_name="stock")
        tuner.search(
            train.x,
            train.y,
            validation_data=(dev.x, dev.y),
            epochs=config.training.epochs,
            verbose=0,
        )
        trials = oracle.get_best_trials(len(values))
        best = tuner.get_best_models(1)[0]
        metrics = best.evaluate(test.x, test.y, verbose=0, return_dict=True)
    return [trial.score for trial in trials], metrics


def to_hyperparameters(space: Mapping[str, Parameter]) -> keras_tuner.HyperParameters:
    """Register each parameter of a search under its name, for keras-tuner's own oracles."""
    hyperparameters = keras_tuner.HyperParameters()
    for name, parameter in space.items():
        if isinstance(parameter, Choice):
            values = list(parameter.values)
            # keras-tuner wants one type, where TOML writes [0, 0.25].
            mixed = len({type(value) for value in values}) > 1
            hyperparameters.Choice(name, [float(v) for v in values] if mixed else values)
        elif parameter.kind == "int":
            step = int(parameter.step or 1)
            hyperparameters.Int(name, int(parameter.low), int(parameter.high), step=step)
        else:
            hyperparameters.Float(name, float(parameter.low), float(parameter.high))
    return hyperparameters


def search_file(path: str) -> None:
    """Run `stock_search` on a config's file and print the scores, as the last line."""
    config = load_config(Path(path))
    scores, _ = stock_search(config, load_split(config))
    print(json.dumps(scores))


class _Oracle(keras_tuner.oracles.RandomSearchOracle):
    """The random search's oracle, with values that are known beforehand."""

    def __init__(self, values: list[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trial_values = values

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the values of the trial with that number."""
        running = keras_tuner.engine.trial.TrialStatus.RUNNING
        return {"status": running, "values": self.trial_values[int(trial_id)]}


class _Model(keras_tuner.HyperModel):
    """A hypermodel that builds and fits as in keras-tuner's guide."""

    def __init__(self, config: SearchConfig, split: Split, values: list[dict[str, Any]]) -> None:
        super().__init__()
        self.config, self.split, self.values = config, split, values

    def build(self, hp: keras_tuner.HyperParameters) -> KerasModel:
        """Return the model of a trial, with the initial weights that it has in our search."""
        config, split = self.config, self.split
        number = self.values.index(hp.values) if hp.values in self.values else 0
        seed = trial_seed(config.search.seed, number)
        return build_trial(config, split, hp.values, seed)

    def fit(
        self, hp: keras_tuner.HyperParameters, model: KerasModel, *args: Any, **kwargs: Any
    ) -> keras.callbacks.History:
        """Call ``model.fit`` with the trial's batch size."""
        size = hp.values.get("batch_size", self.config.training.batch_size)
        history: keras.callbacks.History = model.fit(*args, batch_size=size, **kwargs)
        return history
