"""The tuner that holds several trials, and trains those of one architecture together."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from keras_tuner.engine.trial import TrialStatus

from tfcourse.search.config.architecture import architecture_of
from tfcourse.search.records.effort import Effort
from tfcourse.search.records.trial_record import TrialRecord
from tfcourse.search.trials.vectorized.group import GroupRunner, OnTrial
from tfcourse.search.trials.vectorized.group_size import GroupSizes, next_group

__all__ = ["GroupTuner"]

SECONDS_IDLE = 0.2
OnBegin = Callable[[int, Mapping[str, Any]], None]


class GroupTuner:
    """Has proposed trials run in groups, and hands on their records.

    For the oracle it is as many tuners as it holds trials, ``NAME/0``, ``NAME/1`` and so on.

    Args:
        oracle: Proposes the trials.
        runner: Runs groups of them.
        sizes: How many trials it holds, and trains together.
        on_trial: Called with each trial's record and, if it completed, what saves its model.
        name: The name under which the oracle knows this process.
        on_begin: Called with the number and values of each trial before its group begins.
        alone: The trials that are not to be trained together with others.
    """

    def __init__(
        self,
        oracle: Any,
        runner: GroupRunner,
        sizes: GroupSizes,
        on_trial: OnTrial,
        name: str = "main",
        on_begin: OnBegin | None = None,
        alone: Collection[int] = (),
    ) -> None:
        self.oracle, self.runner, self.sizes = oracle, runner, sizes
        self.on_trial, self.on_begin, self.alone = on_trial, on_begin, set(alone)
        self.names = [f"{name}/{number}" for number in range(sizes.prefetch)]
        self.hand: dict[str, Any] = {}
        self._asked_all = False
        oracle.pause = 0.0  # it waits here instead

    def search(self) -> None:
        """Runs trials until the oracle says that there are none left."""
        while self._take():
            if self.hand:
                self._run_next()
            else:
                time.sleep(SECONDS_IDLE)

    @property
    def effort(self) -> Effort:
        """What the trials so far took."""
        return self.runner.effort

    def _take(self) -> bool:
        """Fills the hand as far as there are trials; False if the search is complete."""
        for name in self.names:
            if name in self.hand:
                continue
            trial = self.oracle.create_trial(name)
            if trial.status == TrialStatus.STOPPED:
                return False
            if trial.status != TrialStatus.IDLE:
                self.hand[name] = trial
            elif self._asked_all:
                return True
        # At first each name is asked for: a process of this name that died may have had trials.
        self._asked_all = True
        return True

    def _run_next(self) -> None:
        held = {int(trial.trial_id): name for name, trial in self.hand.items()}
        values = {number: self._values(self.hand[name]) for number, name in held.items()}
        builder = self.runner.config.builder
        kinds = {number: architecture_of(own, builder) for number, own in values.items()}
        kinds |= {number: (number,) for number in kinds if number in self.alone}
        group = next_group(kinds, self.sizes.together)
        if self.on_begin is not None:
            for number in group:
                self.on_begin(number, values[number])

        def on_trial(record: TrialRecord, model: Any) -> None:
            self.on_trial(record, model)
            self.oracle.end_trial(self.hand.pop(held[record.trial]))

        self.runner.run({number: values[number] for number in group}, on_trial)

    def _values(self, trial: Any) -> dict[str, Any]:
        return dict(trial.hyperparameters.values)
