"""Which tuner a search has: one trial at a time, or groups of them."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from tfcourse.search.engine.group_tuner import GroupTuner
from tfcourse.search.engine.tuner import CourseTuner
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.trials.trial import TrialRunner
from tfcourse.search.trials.vectorized.group import GroupRunner
from tfcourse.search.trials.vectorized.group_size import group_sizes
from tfcourse.search.trials.vectorized.rule import wanted

__all__ = ["tuner_for"]


def tuner_for(
    oracle: Any,
    runner: TrialRunner,
    directory: Path,
    on_trial: Callable[[TrialRecord, Any], None],
    name: str = "main",
    on_begin: Callable[[int, Mapping[str, Any]], None] | None = None,
    workers: int = 1,
    alone: Collection[int] = (),
) -> Any:
    """What has the trials of an oracle run, as the config's ``caviar`` says; ``search()`` does it.

    Args:
        oracle: Proposes the trials.
        runner: Runs them.
        directory: An existing folder; nothing is written there.
        on_trial: Called with each trial's record and, if it completed, its model.
        name: The name under which the oracle knows this process.
        on_begin: Called with the number and values of each trial before it begins.
        workers: How many processes share the trials.
        alone: The trials that are not to be trained together with others.
    """
    if not wanted(runner.config, runner.steps_of_epoch, workers=workers):
        return CourseTuner(oracle, runner, directory, on_trial, name, on_begin)
    sizes = group_sizes(runner.config, workers)
    groups = GroupRunner(runner, sizes.together, workers)
    return GroupTuner(oracle, groups, sizes, on_trial, name, on_begin, alone)
