"""A group of trials of one architecture, trained as one population."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfcourse.errors import error_line
from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.imports import exit_as_error
from tfcourse.models.saving import save_model
from tfcourse.search.config.architecture import architecture_of, is_ours
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.trials.building import build_trial, compiled_model, given_values
from tfcourse.search.trials.callbacks import early_stopping
from tfcourse.search.trials.normalized import with_scaling
from tfcourse.search.trials.scoring import judge
from tfcourse.search.trials.trainings import with_origin
from tfcourse.search.trials.trial import LARGEST_BATCH, TrialRunner
from tfcourse.search.trials.vectorized.group_size import slots_of
from tfcourse.search.trials.vectorized.rule import wanted
from tfcourse.search.trials.vectorized.shares import Shares
from tfcourse.training.early_stopping import BestEpoch
from tfcourse.training.non_finite.rule import logs_fault
from tfcourse.training.population.fit import fit_population
from tfcourse.training.population.member import Member, MemberResult
from tfcourse.training.population.population import Population
from tfcourse.training.programs.jit import OVERHEAD_PER_STEP, seconds_of_step

__all__ = ["GroupRunner", "OnTrial"]

LOG = logging.getLogger("tfcourse")

OnTrial = Callable[[TrialRecord, Any], None]


class GroupRunner:
    """Trains groups of a search's trials with `tfcourse.fit_population`, and judges each of them.

    Args:
        runner: Has the data, and runs what can't be trained in a group.
        together: The most trials of a group.
        workers: How many processes share the trials.
    """

    def __init__(self, runner: TrialRunner, together: int, workers: int = 1) -> None:
        self.runner, self.together, self.workers = runner, together, workers
        self.config, self.split = runner.config, runner.split
        self._populations: OrderedDict[Hashable, Population] = OrderedDict()
        self._refused: set[Hashable] = set()
        self._effort = Effort()

    def run(self, group: Mapping[int, Mapping[str, Any]], on_trial: OnTrial) -> None:
        """Trains the trials of a group; one alone, and those of a group that fails, as without.

        Args:
            group: The values of each trial by its number; all of one architecture.
            on_trial: Called with each trial's record as soon as it has ended and, if it
                completed, what saves its model with the weights of its best epoch.
        """
        left = dict(group)

        def on_end(record: TrialRecord, model: Any) -> None:
            del left[record.trial]
            on_trial(record, model)

        population = self._population(next(iter(group.values()))) if len(group) > 1 else None
        if population is not None:
            ends = _Ends(self, list(group.items()), on_end)
            try:
                with exit_as_error():
                    self._train(population, list(group.items()), ends)
            except Exception as error:
                if ends.error is not None:
                    raise
                self._refuse(group, error)
        for number in list(left):
            on_end(*self.runner.run(number, group[number]))

    @property
    def effort(self) -> Effort:
        """What the trials so far took."""
        return self._effort + self.runner.effort

    def _train(
        self, population: Population, group: Sequence[tuple[int, Mapping[str, Any]]], ends: "_Ends"
    ) -> None:
        config = self.config
        size = group[0][1].get("batch_size", config.training.batch_size)
        epochs = [values.get("epochs", config.training.epochs) for _, values in group]
        members = [self._member(*trial, own) for trial, own in zip(group, epochs, strict=True)]
        train, dev, _ = self.runner.data(0)
        x, y = train.data
        trained = fit_population(
            population,
            members,
            x,
            y,
            batch_size=size,
            verbose=0,
            validation_data=dev.data,
            validation_batch_size=min(dev.count, LARGEST_BATCH),
            objective=config.search.objective,
            direction=config.direction,
            slots=slots_of(len(members), self.together),
            on_member_end=ends.on_member_end,
            on_epoch_end=ends.on_epoch_end,
            # As for the trial alone: with and without XLA, dropout draws other numbers.
            jit_compile=self.runner.jit_compile,
        )
        self._effort += Effort(together=len(members), traces=trained.traces)

    def _member(self, number: int, values: Mapping[str, Any], epochs: int) -> Member:
        config = self.config
        own, origin = with_origin(config.search.strategy, number, values)
        given = given_values(config, own)
        names = OPTIMIZER_ARGUMENTS[given["optimizer"]]
        hyperparameters = {name: given[name] for name in names if name in given}
        if is_ours(config.builder) and given.get("dropout"):
            hyperparameters["dropout"] = given["dropout"]
        return Member(trial_seed(config.search.seed, origin), hyperparameters, epochs)

    def _population(self, values: Mapping[str, Any]) -> Population | None:
        """The population of an architecture, from an earlier group if there was one.

        None if it can't be had, or is not worth it.
        """
        key = architecture_of(values, self.config.builder)
        if key in self._refused:
            return None
        if key not in self._populations:
            try:
                population = self._new_population(values)
            except Exception as error:
                population = None
                self._say(error)
            if population is None:
                self._refused.add(key)
                return None
            while len(self._populations) >= max(1, self.config.search.reuse_models):
                self._populations.popitem(last=False)
            self._populations[key] = population
        self._populations.move_to_end(key)
        return self._populations[key]

    def _new_population(self, values: Mapping[str, Any]) -> Population | None:
        config = self.config
        shape, classes = self.split.train.x.shape[1:], self.split.classes
        # A member's own values win over those of the model.
        state = {name for names in OPTIMIZER_ARGUMENTS.values() for name in names}
        state -= {*config.builder.arguments}
        shared = {name: value for name, value in values.items() if name not in state}
        population = Population(lambda: compiled_model(config, shared, shape, classes))
        size = values.get("batch_size", config.training.batch_size)
        train, *_ = self.runner.data(0)
        sample = train.first(size)
        population.prepare(sample)
        arithmetic = seconds_of_step(population.model, sample, size) - OVERHEAD_PER_STEP
        worth_it = wanted(config, train.batches(size), arithmetic, self.workers)
        return population if worth_it else None

    def _refuse(self, group: Mapping[int, Mapping[str, Any]], error: Exception) -> None:
        """Has the trials of an architecture run one by one from now on."""
        key = architecture_of(next(iter(group.values())), self.config.builder)
        self._refused.add(key)
        self._populations.pop(key, None)
        self._say(error)

    def _say(self, error: Exception) -> None:
        if self.config.search.caviar == "population":
            reason = error_line(error)
            LOG.warning("Trials of one architecture are trained one by one: %s", reason)


class _Ends:
    """Stops the members of a group where they would stop alone, and tells of those that ended."""

    def __init__(
        self,
        runner: GroupRunner,
        group: Sequence[tuple[int, Mapping[str, Any]]],
        on_trial: OnTrial,
    ) -> None:
        self.runner, self.group, self.on_trial = runner, group, on_trial
        self.error: Exception | None = None
        self.shares = Shares(len(group))
        self.epochs = [0] * len(group)
        self.stopping = early_stopping(runner.config)
        self.best = [BestEpoch()] * len(group)

    def on_epoch_end(self, index: int, logs: Mapping[str, float]) -> bool:
        """Return True if a member is to stop."""
        epoch, stopping = self.epochs[index], self.stopping
        self.epochs[index] += 1
        if logs_fault(epoch, logs) is not None:
            return True
        if stopping is None:
            return False
        best = stopping.update(self.best[index], epoch, logs[stopping.objective.name])
        self.best[index] = best
        return bool(stopping.stops(best, epoch))

    def on_member_end(self, index: int, result: MemberResult) -> None:
        """A member's record."""
        number, values = self.group[index]
        outcome = judge(result.history, self.runner.config)
        if outcome["status"] == "completed" and result.stopped == "not finite":
            history = result.history
            outcome = {"status": "failed", "message": result.message, "history": history}
        record = TrialRecord(
            trial=number,
            values=dict(values),
            seconds=round(self.shares.end(), 3),
            worker=self.runner.runner.worker,
            **outcome,
        )
        completed = record.status == "completed"
        model = _MemberModel(self.runner.runner, number, values, result) if completed else None
        try:
            self.on_trial(record, model)
        except Exception as error:
            self.error = error
            raise


class _MemberModel:
    """A member's model, which is built if it is to be saved."""

    def __init__(
        self, runner: TrialRunner, number: int, values: Mapping[str, Any], result: MemberResult
    ) -> None:
        self.runner, self.result = runner, result
        self.values, self.origin = with_origin(runner.config.search.strategy, number, values)

    def save(self, path: Path) -> None:
        """Saves it as the trial's alone, but with an optimizer that has taken no step."""
        config, split = self.runner.config, self.runner.split
        seed = trial_seed(config.search.seed, self.origin)
        shape = split.train.x.shape[1:]
        model = build_trial(config, self.values, seed, shape, split.classes)
        if not model.built:
            model.build((None, *shape))
        model.optimizer.build(model.trainable_variables)
        model.set_weights(self.result.weights)
        *_, scaling = self.runner.data(0)
        save_model(with_scaling(model, scaling, shape), path)
