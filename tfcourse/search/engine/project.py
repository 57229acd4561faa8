"""A search as a project of stock keras-tuner's, which its tuners reload without tfcourse.

Ranges keep their scales and steps, except for steps on a log scale, which mean another thing to
keras-tuner. A decay β on a log scale of 1-β is searched as ``one_minus_NAME``, as
`tfcourse.one_minus_log` names it; a trial's values have β itself too. A completed trial has its
metrics at the best epoch, which keras-tuner counts from 0. A trial that was pruned, or breaks a
limit, is INVALID.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.parameters import Choice, Parameter, Range, any_of, parents_first
from tfcourse.types import Hyperparameter, KerasModel

__all__ = ["Project"]

_STATUSES = {
    "completed": TrialStatus.COMPLETED,
    "infeasible": TrialStatus.INVALID,
    "pruned": TrialStatus.INVALID,
    "failed": TrialStatus.FAILED,
}


class Project:
    """A project on disk.

    Args:
        folder: Its folder: keras-tuner's ``directory`` and ``project_name``.
        space: The parameters by name.
        objective: The name of the objective.
        direction: ``"max"`` or ``"min"``.
        trials: The number of trials of the whole search.
        seed: The search's seed.
    """

    def __init__(
        self,
        folder: Path,
        space: Mapping[str, Parameter],
        objective: str,
        direction: str,
        trials: int,
        seed: int,
    ) -> None:
        self._space, self._digits = space, len(str(trials))
        hyperparameters = keras_tuner.HyperParameters()
        for name in parents_first(space):
            with ExitStack() as scopes:
                for parent, values in _conditions(space, name):
                    scopes.enter_context(hyperparameters.conditional_scope(parent, values))
                _register(hyperparameters, name, space[name])
        self._tuner = keras_tuner.RandomSearch(
            lambda hp: None,  # it registers no more, and no model is built here
            objective=keras_tuner.Objective(objective, direction),
            max_trials=trials,
            seed=seed,
            hyperparameters=hyperparameters,
            directory=str(folder.parent),
            project_name=folder.name,
        )

    def write(self, records: Iterable[TrialRecord]) -> None:
        """Write the trials and the state of the oracle and the tuner."""
        oracle = self._tuner.oracle
        searched = {hp.name for hp in oracle.hyperparameters.space}
        hashes = {}
        for record in sorted(records, key=lambda record: record.trial):
            trial = self._trial(record)
            values = {n: v for n, v in trial.hyperparameters.values.items() if n in searched}
            hashes[trial.trial_id] = oracle._compute_values_hash(values)
            oracle.trials[trial.trial_id] = trial
            trial.save(str(self._folder_of(trial.trial_id) / "trial.json"))
        oracle.set_state(
            oracle.get_state()
            | {
                "start_order": [*hashes],
                "end_order": [*hashes],
                "run_times": dict.fromkeys(hashes, 1),
                "id_to_hash": hashes,
                "tried_so_far": [*hashes.values()],
            }
        )
        self._tuner.save()

    def write_weights(self, trial: int, model: KerasModel) -> None:
        """Write the weights of a trial's model, for ``get_best_models``."""
        folder = self._folder_of(self._key(trial))
        model.save_weights(folder / "checkpoint.weights.h5")
        config = model.get_build_config()
        if config is not None:
            keras_tuner.src.utils.save_json(str(folder / "build_config.json"), config)

    def _folder_of(self, key: str) -> Path:
        return Path(self._tuner.get_trial_dir(key))

    def _key(self, trial: int) -> str:
        return f"{trial:0{self._digits}d}"

    def _trial(self, record: TrialRecord) -> Trial:
        hyperparameters = self._tuner.oracle.hyperparameters.copy()
        hyperparameters.values = dict(self._values(record.values))
        status = _STATUSES[record.status]
        reason = "\n".join(filter(None, [record.message, record.traceback])) or None
        trial = Trial(hyperparameters, self._key(record.trial), status, reason)
        if record.status == "completed" and record.best_epoch is not None:
            objective, step = self._tuner.oracle.objective, record.best_epoch - 1
            trial.score, trial.best_step = record.score, step
            metrics = {**record.metrics_at_score, objective.name: record.score}
            for name, value in metrics.items():
                if value is not None:
                    direction = objective.direction if name == objective.name else None
                    trial.metrics.register(name, direction)
                    trial.metrics.update(name, value, step)
        return trial

    def _values(self, values: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        exported: dict[str, Hyperparameter] = {}
        for name, value in values.items():
            parameter = self._space.get(name)
            if isinstance(parameter, Choice):
                value = _values_of(parameter)[parameter.values.index(value)]
            exported[name] = value
            if isinstance(parameter, Range) and parameter.scale == "one_minus_log":
                low, high = 1 - parameter.high, 1 - parameter.low
                exported[f"one_minus_{name}"] = min(max(1 - float(value), low), high)
        return exported


def _register(hp: keras_tuner.HyperParameters, name: str, parameter: Parameter) -> None:
    if isinstance(parameter, Choice):
        values = _values_of(parameter)
        if len(values) == 1:
            hp.Fixed(name, values[0])
        elif isinstance(values[0], bool):  # keras-tuner makes numbers of a choice of booleans
            hp.Boolean(name, default=values[0])
        else:
            hp.Choice(name, values)
        return
    low, high, sampling = parameter.low, parameter.high, parameter.scale
    if sampling == "one_minus_log":
        name, low, high, sampling = f"one_minus_{name}", 1 - high, 1 - low, "log"
    if low == high:
        hp.Fixed(name, int(low) if parameter.kind == "int" else float(low))
        return
    step = None if sampling == "log" else parameter.step
    if parameter.kind == "int":
        hp.Int(name, int(low), int(high), None if step is None else int(step), sampling)
    else:
        hp.Float(name, low, high, step, sampling)


def _values_of(parameter: Choice) -> list[Any]:
    """Return the values of a choice with one type, as keras-tuner demands: numbers are floats."""
    mixed = len({type(value) for value in parameter.values}) > 1
    return [float(value) if mixed else value for value in parameter.values]


def _conditions(space: Mapping[str, Parameter], name: str) -> list[tuple[str, list[Any]]]:
    """Return the conditions of a parameter after those of its parents, each once."""
    conditions: dict[str, list[Any]] = {}
    for parent, value in space[name].when:
        conditions |= dict(_conditions(space, parent))
        conditions[parent] = list(any_of(value))
    return list(conditions.items())
