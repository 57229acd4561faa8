"""The loop that runs a search's trials in one process: one at a time, or in groups."""

from collections.abc import Callable, Collection
from pathlib import Path

from tfcourse.search.engine.oracle import SearchOracle
from tfcourse.search.engine.tuner import CourseTuner, OnBegin, OnTrial
from tfcourse.search.records.effort import Effort
from tfcourse.search.runtime.group_loop import run_groups
from tfcourse.search.scheduler.scheduler import TrialSource
from tfcourse.search.trials.trial import TrialRunner
from tfcourse.search.trials.vectorized.group import GroupRunner
from tfcourse.search.trials.vectorized.group_size import group_sizes
from tfcourse.search.trials.vectorized.rule import wanted
from tfcourse.types import Hyperparameters

__all__ = ["run_trials"]


def run_trials(
    source: TrialSource,
    propose: Callable[[int], Hyperparameters],
    runner: TrialRunner,
    directory: Path,
    on_trial: OnTrial,
    name: str = "main",
    on_begin: OnBegin | None = None,
    workers: int = 1,
    alone: Collection[int] = (),
) -> Effort:
    """Run trials until the source has none left, and return what that took.

    Args:
        source: The scheduler.
        propose: Returns the values of a trial.
        runner: Trains one.
        directory: The run directory.
        on_trial: Called with each trial's record and, if it completed, an object whose ``save``
            writes its model.
        name: The name of this process for the scheduler.
        on_begin: Called with the number and values of each trial before it begins.
        workers: The number of processes that share the trials.
        alone: The trials that must not be trained together with others.
    """
    config = runner.config
    if wanted(config, runner.steps_of_epoch, workers=workers):
        sizes = group_sizes(config, workers)
        groups = GroupRunner(runner, sizes.together, workers)
        run_groups(source, propose, groups, sizes, on_trial, name, on_begin, alone)
        return groups.effort
    search = config.search
    oracle = SearchOracle(search.objective, config.direction, config.space, config.trials, source)
    CourseTuner(oracle, propose, runner.run, directory, on_trial, name, on_begin).search()
    return runner.effort
