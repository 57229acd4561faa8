"""A group of trials of one architecture, trained as one population."""

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from weakref import WeakKeyDictionary

from tfcourse.errors import error_line
from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.imports import exit_as_error
from tfcourse.search.config.architecture import architecture_of, is_builtin
from tfcourse.search.config.hyperparameters import hyperparameters_of
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.savable_model import SavableModel
from tfcourse.search.records.score_at import BEST
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.trials.building import compiled_model
from tfcourse.search.trials.callbacks import early_stopping
from tfcourse.search.trials.costs import ModelCosts
from tfcourse.search.trials.schedules import schedule_parameters, smoothing_of
from tfcourse.search.trials.scoring import score_history
from tfcourse.search.trials.trainings import with_origin
from tfcourse.search.trials.trial import LARGEST_BATCH, TrialRunner
from tfcourse.search.trials.vectorized.group_size import slot_count
from tfcourse.search.trials.vectorized.member_model import MemberModel
from tfcourse.search.trials.vectorized.rule import should_vectorize
from tfcourse.search.trials.vectorized.time_shares import TimeShares
from tfcourse.training.data.arrays import Arrays
from tfcourse.training.early_stopping import BestEpoch
from tfcourse.training.non_finite.rule import logs_fault
from tfcourse.training.population.fit import fit_population
from tfcourse.training.population.member import Member, MemberResult
from tfcourse.training.population.population import Population
from tfcourse.training.programs.jit import seconds_of_arithmetic
from tfcourse.types import Hyperparameters

__all__ = ["GroupRunner", "OnTrial"]

LOG = logging.getLogger("tfcourse")

OnTrial = Callable[[TrialRecord, SavableModel | None], None]


class GroupRunner:
    """A runner that trains groups of a search's trials with `tfcourse.fit_population`.

    Args:
        runner: Has the data, and runs the trials that can't be trained in a group.
        group_size: The most trials of a group.
        workers: The number of processes that share the trials.
    """

    def __init__(self, runner: TrialRunner, group_size: int, workers: int = 1) -> None:
        self.runner, self.group_size, self.workers = runner, group_size, workers
        self.config, self.split = runner.config, runner.split
        self._populations: dict[Hashable, Population] = {}  # the last used one is the last
        self._slots: WeakKeyDictionary[Population, set[int]] = WeakKeyDictionary()
        self._refused: set[Hashable] = set()
        self._costs = ModelCosts(self.config, self.split)
        self._effort = Effort()

    def run(self, group: Mapping[int, Hyperparameters], on_trial: OnTrial) -> None:
        """Train the trials of a group.

        They are trained one by one if it is a single trial, or if the population fails.

        Args:
            group: The values of each trial by its number; all have the same architecture.
            on_trial: Called with each trial's record as soon as it has ended and, unless it
                failed, an object that saves its model.
        """
        unfinished = dict(group)

        def on_end(record: TrialRecord, model: SavableModel | None) -> None:
            del unfinished[record.trial]
            on_trial(record, model)

        population = self._population(next(iter(group.values()))) if len(group) > 1 else None
        if population is not None:
            callbacks = _MemberCallbacks(self, list(group.items()), on_end)
            try:
                with exit_as_error():
                    *_, scaling = self.runner.data(0)
                    callbacks.costs = self._costs.of(population.model, scaling)
                    self._train(population, list(group.items()), callbacks)
            except Exception as error:
                if callbacks.error is not None:
                    raise
                self._refuse(group, error)
        for number in list(unfinished):
            on_end(*self.runner.run(number, group[number]))

    @property
    def effort(self) -> Effort:
        """The models and programs that the trials took so far."""
        return self._effort + self.runner.effort

    def _train(
        self,
        population: Population,
        group: Sequence[tuple[int, Hyperparameters]],
        callbacks: "_MemberCallbacks",
    ) -> None:
        config = self.config
        size = int(group[0][1].get("batch_size", config.training.batch_size))
        train, dev, _ = self.runner.data(0)
        assert isinstance(train, Arrays)  # streams train no population
        assert isinstance(dev, Arrays)
        members = [self._member(*of) for of in group]
        x, y, weight = train.parts
        compiled = self._slots.setdefault(population, set())
        slots = slot_count(len(members), self.group_size, compiled)
        compiled.add(slots)
        trained = fit_population(
            population,
            members,
            x,
            y,
            batch_size=size,
            verbose=0,
            sample_weight=weight,
            validation_data=dev.data,
            validation_batch_size=min(dev.count, LARGEST_BATCH),
            objective=config.search.objective,
            direction=config.direction,
            keep="best" if config.search.score_at == BEST else "last",
            slots=slots,
            on_member_end=callbacks.on_member_end,
            on_epoch_end=callbacks.on_epoch_end,
            # As for a single trial: dropout draws different numbers with and without XLA.
            jit_compile=self.runner.jit_compile,
        )
        self._effort += Effort(vectorized=len(members), traces=trained.traces)

    def _member(self, number: int, values: Hyperparameters) -> Member:
        config = self.config
        own, origin = with_origin(config.search.strategy, number, values)
        every = hyperparameters_of(config.model, config.training, own)
        names = OPTIMIZER_ARGUMENTS[every["optimizer"]]
        hyperparameters = {name: every[name] for name in names if name in every}
        if is_builtin(config.builder) and every.get("dropout"):
            hyperparameters["dropout"] = every["dropout"]
        train, *_ = self.runner.data(0)
        hyperparameters |= schedule_parameters(config, own, train)
        smoothing = smoothing_of(config, own)
        if smoothing is not None:
            hyperparameters["label_smoothing"] = smoothing
        epochs = int(own.get("epochs", config.training.epochs))
        return Member(trial_seed(config.search.seed, origin), hyperparameters, epochs)

    def _population(self, values: Hyperparameters) -> Population | None:
        """Return the population of an architecture, which earlier groups may have used.

        None if the architecture can't be trained in one, or if that would not pay.
        """
        key = architecture_of(values, self.config.builder)
        population = self._populations.pop(key, None)
        if population is None and key not in self._refused:
            try:
                population = self._new_population(values)
            except Exception as error:
                self._warn(error)
        if population is None:
            self._refused.add(key)
            return None
        self._populations[key] = population
        if len(self._populations) > max(1, self.config.search.reuse_models):
            del self._populations[next(iter(self._populations))]
        return population

    def _new_population(self, values: Hyperparameters) -> Population | None:
        config = self.config
        # A member's own values take precedence over those of the model.
        state = {name for names in OPTIMIZER_ARGUMENTS.values() for name in names}
        state -= {*config.builder.arguments}
        shared = {name: value for name, value in values.items() if name not in state}
        population = Population(lambda: compiled_model(config, self.split, shared))
        size = int(values.get("batch_size", config.training.batch_size))
        train, *_ = self.runner.data(0)
        sample = train.first(size)
        population.prepare(sample)
        arithmetic = seconds_of_arithmetic(population.model, sample, size)
        pays = should_vectorize(config, train.batches(size), arithmetic, self.workers)
        return population if pays else None

    def _refuse(self, group: Mapping[int, Hyperparameters], error: Exception) -> None:
        """Run the trials of an architecture one by one from now on."""
        key = architecture_of(next(iter(group.values())), self.config.builder)
        self._refused.add(key)
        self._populations.pop(key, None)
        self._warn(error)

    def _warn(self, error: Exception) -> None:
        if self.config.search.caviar == "population":
            reason = error_line(error)
            LOG.warning("Trials of one architecture are trained one by one: %s", reason)


class _MemberCallbacks:
    """Callbacks that stop the members of a group as if trained alone, and report each result."""

    def __init__(
        self,
        runner: GroupRunner,
        group: Sequence[tuple[int, Hyperparameters]],
        on_trial: OnTrial,
    ) -> None:
        self.runner, self.group, self.on_trial = runner, group, on_trial
        self.costs: Mapping[str, float] = {}
        self.error: Exception | None = None
        self.time_shares = TimeShares(len(group))
        self.stopping = early_stopping(runner.config)
        self.best = [BestEpoch()] * len(group)
        self.limits = [runner.runner.limits(*trial) for trial in group]
        self.scores: list[list[float]] = [[] for _ in group]

    def on_epoch_end(self, index: int, logs: Mapping[str, float]) -> bool:
        """Return True to stop a member."""
        scores, limits = self.scores[index], self.limits[index]
        epoch, stopping = len(scores), self.stopping
        scores.append(logs[self.runner.config.search.objective])
        if logs_fault(epoch, logs) is not None:
            return True
        if limits is not None and limits.verdict(scores) is not None:
            return True
        if stopping is None:
            return False
        best = stopping.update(self.best[index], epoch, logs[stopping.objective.name])
        self.best[index] = best
        return bool(stopping.stops(best, epoch))

    def on_member_end(self, index: int, result: MemberResult) -> None:
        """Report a member's record and model."""
        number, values = self.group[index]
        config, history = self.runner.config, result.history
        fields = score_history(
            history,
            config.search.objective,
            config.direction,
            self.limits[index],
            score_at=config.search.score_at,
        )
        fields |= self.costs
        if fields["status"] != "failed" and result.stopped == "not finite":
            fields = {"status": "failed", "message": result.message, "history": history}
        trial_runner = self.runner.runner
        record = trial_runner.record(number, values, self.time_shares.end(), fields)
        failed = record.status == "failed"
        model = None if failed else MemberModel(trial_runner, number, values, result)
        try:
            self.on_trial(record, model)
        except Exception as error:
            self.error = error
            raise
