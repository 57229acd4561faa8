"""The model of a trial that was trained in a population."""

from pathlib import Path

from tfcourse.models.saving import save_model
from tfcourse.search.space.sampling import trial_seed
from tfcourse.search.trials.building import build_for, build_trial
from tfcourse.search.trials.normalized import with_scaling
from tfcourse.search.trials.schedules import assign_schedule, schedule_parameters
from tfcourse.search.trials.trainings import with_origin
from tfcourse.search.trials.trial import TrialRunner
from tfcourse.training.population.member import MemberResult
from tfcourse.types import Hyperparameters

__all__ = ["MemberModel"]


class MemberModel:
    """A member's model, which is built only when it is saved."""

    def __init__(
        self, runner: TrialRunner, number: int, values: Hyperparameters, result: MemberResult
    ) -> None:
        self.runner, self.result = runner, result
        self.values, self.origin = with_origin(runner.config.search.strategy, number, values)

    def save(self, path: Path) -> None:
        """Save it as a single trial's model, but with an optimizer that has taken no step."""
        config, split = self.runner.config, self.runner.split
        train, _, scaling = self.runner.data(0)
        seed = trial_seed(config.search.seed, self.origin)
        model = build_trial(config, split, self.values, seed)
        build_for(model, split.shape)
        assign_schedule(model.optimizer, schedule_parameters(config, self.values, train))
        model.optimizer.build(model.trainable_variables)
        model.set_weights(self.result.weights)
        save_model(with_scaling(model, scaling, split.shape), path)
