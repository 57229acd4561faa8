"""The loop that prefetches several trials, and trains those of one architecture together."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from tfcourse.search.config.architecture import architecture_of
from tfcourse.search.records.savable_model import SavableModel
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.records.trial_source import TrialSource
from tfcourse.search.strategies.stopping import NO_LIMITS
from tfcourse.search.trials.vectorized.group import GroupRunner, OnTrial
from tfcourse.search.trials.vectorized.group_size import GroupSizes, next_group
from tfcourse.types import Hyperparameters

__all__ = ["OnBegin", "run_groups"]

SECONDS_IDLE = 0.2

OnBegin = Callable[[int, Hyperparameters], None]


def run_groups(
    source: TrialSource,
    propose: Callable[[int], Hyperparameters],
    runner: GroupRunner,
    sizes: GroupSizes,
    on_trial: OnTrial,
    name: str,
    on_begin: OnBegin,
    alone: Collection[int],
) -> None:
    """Run trials in groups until the source has none left.

    Args:
        source: The scheduler. To it this process is as many holders as it prefetches trials:
            ``NAME/0``, ``NAME/1`` and so on.
        propose: Returns the values of a trial.
        runner: Trains groups of trials.
        sizes: The numbers of trials to prefetch, and to train together.
        on_trial: Called with each trial's record and, unless it failed, an object whose ``save``
            writes its model.
        name: The name of this process for the scheduler.
        on_begin: Called with the number and values of each trial before its group begins.
        alone: The trials that must not be trained together with others.
    """
    holders = [f"{name}/{n}" for n in range(sizes.prefetch)]
    has_limits = runner.config.limits != NO_LIMITS
    prefetched = _Prefetched(source, propose, holders, has_limits)
    while prefetched.fill():
        if not prefetched.values:
            time.sleep(SECONDS_IDLE)
            continue
        builder = runner.config.builder
        architectures = {
            trial: (trial,) if trial in alone else architecture_of(values, builder)
            for trial, values in prefetched.values.items()
        }
        group = {t: prefetched.values[t] for t in next_group(architectures, sizes.group_size)}
        for trial, values in group.items():
            on_begin(trial, values)

        def end(record: TrialRecord, model: SavableModel | None) -> None:
            on_trial(record, model)
            prefetched.end(record.trial)

        runner.run(group, end)


@dataclass
class _Prefetched:
    """The trials that a process holds.

    Attributes:
        values: The values of each trial by its number.
    """

    source: TrialSource
    propose: Callable[[int], Hyperparameters]
    holders: list[str]
    has_limits: bool
    values: dict[int, Hyperparameters] = field(default_factory=dict)
    _trials: dict[str, int] = field(default_factory=dict)
    _asked_all: bool = False

    def fill(self) -> bool:
        """Get as many trials as there are holders; return False if the search is complete."""
        for holder in self.holders:
            if holder in self._trials:
                continue
            trial = self.source.next(holder)
            if trial is not None:
                self._trials[holder] = trial
                self.values[trial] = self.propose(trial)
            elif self.source.complete or self._asked_all:
                if self.has_limits:
                    self._drop_needless()
                return not self.source.complete
        # The first time for each holder: a process of this name that died may have had trials.
        self._asked_all = True
        return True

    def _drop_needless(self) -> None:
        """Ask for the trials again: those that a limit of the search excludes need not begin."""
        for holder, trial in list(self._trials.items()):
            if self.source.next(holder) != trial:
                del self._trials[holder], self.values[trial]

    def end(self, trial: int) -> None:
        """End a trial that is on record."""
        self._trials = {holder: t for holder, t in self._trials.items() if t != trial}
        del self.values[trial]
        self.source.end(trial)
