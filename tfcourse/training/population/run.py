"""The members in their slots: epoch by epoch, until the last of them has stopped."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from tfcourse.training.callbacks import numbers_of
from tfcourse.training.data.arrays import epoch_order
from tfcourse.training.data.feeds import ArrayFeed
from tfcourse.training.population.fresh import FreshValues
from tfcourse.training.population.member import MemberResult, Stopped
from tfcourse.training.population.objective import StoppingRule
from tfcourse.training.population.program import PopulationProgram
from tfcourse.training.population.progress import ProgressBar
from tfcourse.training.population.record import Keep, Record
from tfcourse.training.population.stack import Stack
from tfcourse.training.population.step import State

__all__ = ["OnEpochEnd", "OnMemberEnd", "Plan", "Run"]

OnMemberEnd = Callable[[int, MemberResult], None]
OnEpochEnd = Callable[[int, dict[str, float]], bool | None]


@dataclass(frozen=True)
class Plan:
    """How members are trained.

    Attributes:
        slots: How many at a time.
        steps_per_call: The most steps of one call of a program, so that Ctrl-C is heard.
        rule: When a member stops before its last epoch.
        keep: Which of its weights are kept.
        on_member_end: Called with a member's number and result as soon as it has ended.
        on_epoch_end: Called with a member's number and an epoch's numbers; True ends the member.
    """

    slots: int
    steps_per_call: int
    rule: StoppingRule
    keep: Keep = "best"
    on_member_end: OnMemberEnd | None = None
    on_epoch_end: OnEpochEnd | None = None


class Run:
    """Trains members in slots: it only iterates.

    Args:
        program: The compiled programs.
        fresh: The values that a member's variables begin with.
        train: The training data.
        validation: The validation data, if any.
        plan: How to train.
        progress: The progress bar.
    """

    def __init__(
        self,
        program: PopulationProgram,
        fresh: FreshValues,
        train: ArrayFeed,
        validation: ArrayFeed | None,
        plan: Plan,
        progress: ProgressBar,
    ) -> None:
        self.program, self.step, self.fresh = program, program.step, fresh
        self.train, self.validation = train, validation
        self.plan, self.progress = plan, progress
        self.slots: list[Record | None] = [None] * plan.slots
        self.stack = Stack(plan.slots, self.step.fresh_metrics())
        self.waiting: deque[Record] = deque()
        self.paused: list[Record] = []
        self.results: dict[int, MemberResult] = {}

    def run(self, records: Sequence[Record]) -> list[MemberResult]:
        """Trains all of them; gives their results in their order."""
        self.waiting.extend(records)
        while len(self.results) < len(records):
            self._fill()
            if any(self.slots):
                self._epoch()
            else:
                self._halve()
            self.progress.show()
        return [self.results[record.index] for record in records]

    def _fill(self) -> None:
        """Puts waiting members into the slots that are free."""
        free = [slot for slot, record in enumerate(self.slots) if record is None]
        coming = [self.waiting.popleft() for _ in free[: len(self.waiting)]]
        new = [record for record in coming if record.state is None]
        for record, values in zip(new, self.fresh.of([r.member.seed for r in new]), strict=True):
            optimizer = self.step.fresh_optimizer(record.member.hyperparameters)
            record.state = State(values, optimizer, [])
        if coming:
            slots = free[: len(coming)]
            self.stack.put(slots, [record.state for record in coming if record.state is not None])
            for slot, record in zip(slots, coming, strict=True):
                self.slots[slot], record.state = record, None

    def _epoch(self) -> None:
        """An epoch of every member in a slot, and what comes of it."""
        orders = tf.stack([self._order(record) for record in self.slots])
        state, finite_steps = self.stack.before_epoch(), np.zeros(len(self.slots), int)
        for start, stop in self._calls(self.train):
            outcome = self.program.train(state, orders, self.train.arrays.data, start, stop)
            state, finite_steps = outcome.state, finite_steps + outcome.finite_steps.numpy()
        self.stack.after_epoch(state)
        logs = {name: value.numpy() for name, value in outcome.logs.items()}
        logs |= self._validate()
        finite_weights = outcome.finite_weights.numpy()
        for slot, record in enumerate(self.slots):
            if record is not None:
                numbers = numbers_of({name: value[slot] for name, value in logs.items()})
                record.add_epoch(numbers)
                self.progress.advance(1)
                fault = self._fault(record, finite_steps[slot], finite_weights[slot])
                told = self.plan.on_epoch_end
                enough = bool(told(record.index, numbers)) if told is not None else False
                self._judge(slot, record, fault, enough)

    def _order(self, record: Record | None) -> Any:
        """A member's order of the examples in its next epoch; any for an empty slot."""
        feed = self.train
        if record is None:
            return epoch_order(feed.arrays.count, False, 0, 0)
        return epoch_order(feed.arrays.count, feed.shuffle, record.member.seed, record.done)

    def _validate(self) -> dict[str, Any]:
        if self.validation is None:
            return {}
        metrics, data = self.stack.metrics, self.validation.arrays.data
        for start, stop in self._calls(self.validation):
            metrics, logs = self.program.test(self.stack.model, metrics, data, start, stop)
        return {f"val_{name}": value.numpy() for name, value in logs.items()}

    def _calls(self, feed: ArrayFeed) -> Iterator[tuple[int, int]]:
        """The first step of each call of a program, and the step after its last."""
        for start in range(0, feed.available, self.plan.steps_per_call):
            yield start, min(start + self.plan.steps_per_call, feed.available)

    def _fault(self, record: Record, finite_steps: int, finite_weights: bool) -> str:
        """What became NaN or infinite in the last epoch, in words; nothing if nothing did."""
        if finite_steps < self.train.available:
            return f"The loss is not finite in epoch {record.done}, batch {finite_steps + 1}."
        return "" if finite_weights else f"A weight is not finite after epoch {record.done}."

    def _judge(self, slot: int, record: Record, fault: str, enough: bool) -> None:
        """Ends a member whose time has come, and frees its slot."""
        if fault:
            self._end(record, "not finite", fault)
        else:
            weights = partial(self.stack.weights, slot, self.step.weights)
            stopped = record.judge(self.plan.rule, self.plan.keep, weights, enough)
            if stopped is None:
                return
            if stopped == "pause":
                record.state = self.stack.take(slot)
                self.paused.append(record)
            else:
                self._end(record, stopped)
        self.slots[slot] = None

    def _halve(self) -> None:
        """Lets the best of the members that have come to a rung go on; the others end there."""
        halving = self.plan.rule.halving
        assert halving is not None  # without it no member is paused
        sign = -1 if self.plan.rule.objective.direction == "max" else 1

        def rank(record: Record) -> tuple[bool, float, int]:
            return record.best is None, sign * (record.best or 0), record.index

        ranked, self.paused = sorted(self.paused, key=rank), []
        count = halving.promoted(len(ranked))
        self.waiting.extend(sorted(ranked[:count], key=lambda record: record.index))
        for record in ranked[count:]:
            record.state = None
            self._end(record, "halving")

    def _end(self, record: Record, stopped: Stopped, message: str = "") -> None:
        result = record.result(stopped, message)
        self.results[record.index] = result
        self.progress.end(record.epochs - record.done, record.best)
        if self.plan.on_member_end is not None:
            self.plan.on_member_end(record.index, result)
