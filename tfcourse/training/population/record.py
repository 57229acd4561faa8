"""A member on its way: its history, its best epoch, and what is kept of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tfcourse.training.population.member import Array, Member, MemberResult, Stopped
from tfcourse.training.population.objective import StoppingRule
from tfcourse.training.population.step import State

__all__ = ["Keep", "Record"]

Keep = Literal["best", "last"]


@dataclass
class Record:
    """What is known of a member so far.

    Attributes:
        index: Its number.
        member: Its seed and hyperparameters.
        epochs: How long it may be trained.
        state: Where it goes on from after a pause; None to begin with.
        history: The loss and metrics of every epoch.
        done: How many epochs it has been trained.
        best: Its best objective.
        best_epoch: The epoch of that, from 0.
        waited: Epochs since then.
        weights: What is kept of its weights.
    """

    index: int
    member: Member
    epochs: int
    state: State | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    done: int = 0
    best: float | None = None
    best_epoch: int | None = None
    waited: int = 0
    weights: list[Array] | None = None

    def add_epoch(self, logs: Mapping[str, Any]) -> None:
        """Another epoch of the history."""
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        self.done += 1

    def judge(
        self,
        rule: StoppingRule,
        keep: Keep,
        weights: Callable[[], list[Array]],
        enough: bool = False,
    ) -> Any:
        """What the last epoch means.

        Args:
            rule: When to stop.
            keep: Which weights are kept.
            weights: Gives the member's weights now.
            enough: Whether it is to stop in any case.

        Returns:
            Why the member ends, ``"pause"`` where members are compared, or None to go on.
        """
        value = self.history[rule.objective.name][-1]
        self.waited += 1
        if rule.objective.improves(value, self.best):
            self.best, self.best_epoch, self.waited = value, self.done - 1, 0
            if keep == "best":
                self.weights = weights()
        stopped: Stopped | Literal["pause"] | None = None
        if self.done == self.epochs:
            stopped = "finished"
        elif rule.out_of_patience(self.waited, self.done):
            stopped = "patience"
        elif enough:
            stopped = "stopped"
        elif rule.halving is not None and rule.halving.is_rung(self.done):
            stopped = "pause"
        if stopped and keep == "last":
            self.weights = weights()
        return stopped

    def result(self, stopped: Stopped, message: str = "") -> MemberResult:
        """The member at its end."""
        return MemberResult(
            self.member, self.history, self.best_epoch, stopped, message, self.weights
        )
