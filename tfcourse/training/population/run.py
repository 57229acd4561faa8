"""The loop over epochs: members in slots, until the last of them has ended."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from tfcourse.training.callbacks import numbers_of
from tfcourse.training.data.arrays import epoch_order
from tfcourse.training.data.feeds import ArrayFeed
from tfcourse.training.early_stopping import EarlyStopping
from tfcourse.training.non_finite.rule import Fault, steps_fault
from tfcourse.training.population.fresh import FreshValues
from tfcourse.training.population.halving import Halving
from tfcourse.training.population.member import MemberResult, Stopped
from tfcourse.training.population.member_training import Keep, MemberTraining
from tfcourse.training.population.program import PopulationProgram
from tfcourse.training.population.progress import ProgressBar
from tfcourse.training.population.stack import Stack
from tfcourse.training.population.step import State
from tfcourse.types import Array, Tensor

__all__ = ["OnEpochEnd", "OnMemberEnd", "PopulationPlan", "Run"]

OnMemberEnd = Callable[[int, MemberResult], None]
OnEpochEnd = Callable[[int, dict[str, float]], bool | None]


@dataclass(frozen=True)
class PopulationPlan:
    """The options of a population's training.

    Attributes:
        slots: The members that are trained at a time.
        steps_per_call: The most steps of one call of a program; Ctrl-C takes effect between calls.
        stopping: The rule by which a member stops before its last epoch.
        halving: The epochs at which members are compared; None for never.
        keep: The epoch whose weights are kept.
        on_member_end: Called with a member's number and result as soon as it has ended.
        on_epoch_end: Called with a member's number and an epoch's numbers; True ends the member.
    """

    slots: int
    steps_per_call: int
    stopping: EarlyStopping
    halving: Halving | None = None
    keep: Keep = "best"
    on_member_end: OnMemberEnd | None = None
    on_epoch_end: OnEpochEnd | None = None


class Run:
    """The training of members in slots.

    Args:
        program: The compiled programs.
        fresh: The initial values of a member's variables.
        train: The training data.
        validation: The validation data, if any.
        plan: The options.
        progress: The progress bar.
    """

    def __init__(
        self,
        program: PopulationProgram,
        fresh: FreshValues,
        train: ArrayFeed,
        validation: ArrayFeed | None,
        plan: PopulationPlan,
        progress: ProgressBar,
    ) -> None:
        self.program, self.step, self.fresh = program, program.step, fresh
        self.train, self.validation = train, validation
        self.plan, self.progress = plan, progress
        self.slots: list[MemberTraining | None] = [None] * plan.slots
        self.stack = Stack(plan.slots, self.step.fresh_metrics())
        self.waiting: deque[MemberTraining] = deque()
        self.paused: list[MemberTraining] = []
        self.results: dict[int, MemberResult] = {}

    def run(self, trainings: Sequence[MemberTraining]) -> list[MemberResult]:
        """Train all of them, and return their results in their order."""
        self.waiting.extend(trainings)
        while len(self.results) < len(trainings):
            self._fill()
            if any(self.slots):
                self._epoch()
            else:
                self._halve()
            self.progress.show()
        return [self.results[training.index] for training in trainings]

    def _fill(self) -> None:
        """Put waiting members into the free slots."""
        free = [slot for slot, training in enumerate(self.slots) if training is None]
        coming = [self.waiting.popleft() for _ in free[: len(self.waiting)]]
        new = [training for training in coming if training.state is None]
        models = self.fresh.of([training.member.seed for training in new])
        optimizers = self.step.fresh_optimizers([t.member.hyperparameters for t in new])
        for training, model, optimizer in zip(new, models, optimizers, strict=True):
            training.state = State(model, optimizer, [])
        if coming:
            slots = free[: len(coming)]
            self.stack.put(
                slots, [training.state for training in coming if training.state is not None]
            )
            for slot, training in zip(slots, coming, strict=True):
                self.slots[slot], training.state = training, None

    def _epoch(self) -> None:
        """Train every member in a slot for an epoch, and end or pause those that are due."""
        orders = tf.stack([self._order(training) for training in self.slots])
        state, finite_steps = self.stack.before_epoch(), np.zeros(len(self.slots), int)
        for start, stop in self._calls(self.train):
            result = self.program.train(state, orders, self.train.arrays.data, start, stop)
            state, finite_steps = result.state, finite_steps + result.finite_steps.numpy()
        self.stack.after_epoch(state)
        logs = {name: value.numpy() for name, value in result.logs.items()}
        logs |= self._validate()
        finite_weights = result.finite_weights.numpy()
        for slot, training in enumerate(self.slots):
            if training is not None:
                numbers = numbers_of({name: value[slot] for name, value in logs.items()})
                training.add_epoch(numbers)
                self.progress.advance(1)
                fault = steps_fault(
                    training.next_epoch - 1,
                    self.train.available,
                    int(finite_steps[slot]),
                    bool(finite_weights[slot]),
                )
                on_epoch_end = self.plan.on_epoch_end
                requested = on_epoch_end is not None and on_epoch_end(training.index, numbers)
                self._continue_or_end(slot, training, fault, bool(requested))

    def _order(self, training: MemberTraining | None) -> Tensor:
        """Return a member's order of the examples in its next epoch; any for an empty slot."""
        feed = self.train
        if training is None:
            return epoch_order(feed.arrays.count, False, 0, 0)
        return epoch_order(
            feed.arrays.count, feed.shuffle, training.member.seed, training.next_epoch
        )

    def _validate(self) -> dict[str, Array]:
        if self.validation is None:
            return {}
        metrics, data = self.stack.metrics, self.validation.arrays.data
        for start, stop in self._calls(self.validation):
            metrics, logs = self.program.test(self.stack.model, metrics, data, start, stop)
        return {f"val_{name}": value.numpy() for name, value in logs.items()}

    def _calls(self, feed: ArrayFeed) -> Iterator[tuple[int, int]]:
        """Yield the first step of each call of a program, and the step after its last."""
        for start in range(0, feed.available, self.plan.steps_per_call):
            yield start, min(start + self.plan.steps_per_call, feed.available)

    def _continue_or_end(
        self, slot: int, training: MemberTraining, fault: Fault | None, stop_requested: bool
    ) -> None:
        """End or pause a member after its last epoch, or let it continue in its slot."""
        plan = self.plan
        if fault is not None:
            self._end(training, "not finite", f"{fault.message}.")
        else:
            weights = partial(self.stack.weights, slot, self.step.weights)
            stopped = training.next_step(
                plan.stopping, plan.halving, plan.keep, weights, stop_requested
            )
            if stopped is None:
                return
            if stopped == "pause":
                training.state = self.stack.take(slot)
                self.paused.append(training)
            else:
                self._end(training, stopped)
        self.slots[slot] = None

    def _halve(self) -> None:
        """Let the best of the members at a rung continue; the others end there."""
        halving, objective = self.plan.halving, self.plan.stopping.objective
        assert halving is not None  # without it no member is paused

        def rank(training: MemberTraining) -> tuple[bool, float, int]:
            value = objective.sign * training.best.value
            return bool(np.isnan(value)), -np.nan_to_num(value), training.index

        ranked, self.paused = sorted(self.paused, key=rank), []
        count = halving.survivors(len(ranked))
        self.waiting.extend(sorted(ranked[:count], key=lambda training: training.index))
        for training in ranked[count:]:
            training.state = None
            self._end(training, "halving")

    def _end(self, training: MemberTraining, stopped: Stopped, message: str = "") -> None:
        result = training.result(stopped, message)
        self.results[training.index] = result
        self.progress.end(training.epochs - training.next_epoch, training.best.value)
        if self.plan.on_member_end is not None:
            self.plan.on_member_end(training.index, result)
