"""The training of one member so far: its history, its best epoch, and its saved weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tfcourse.training.early_stopping import BestEpoch, EarlyStopping
from tfcourse.training.population.halving import Halving
from tfcourse.training.population.member import Member, MemberResult, Stopped
from tfcourse.training.population.step import State
from tfcourse.types import Array

__all__ = ["Keep", "MemberTraining"]

Keep = Literal["best", "last"]


@dataclass
class MemberTraining:
    """A member between two of its epochs.

    Attributes:
        index: Its number.
        member: Its seed and hyperparameters.
        epochs: The most epochs that it is trained.
        state: Where it continues after a pause; None to begin with.
        history: The loss and metrics of every epoch.
        next_epoch: The number of its next epoch, from 0.
        best: Its best epoch so far.
        weights: The weights that are kept of it.
    """

    index: int
    member: Member
    epochs: int
    state: State | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    next_epoch: int = 0
    best: BestEpoch = BestEpoch()  # noqa: RUF009 - immutable
    weights: list[Array] | None = None

    def add_epoch(self, logs: Mapping[str, float]) -> None:
        """Add an epoch to the history."""
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        self.next_epoch += 1

    def next_step(
        self,
        stopping: EarlyStopping,
        halving: Halving | None,
        keep: Keep,
        weights: Callable[[], list[Array]],
        stop_requested: bool = False,
    ) -> Stopped | Literal["pause"] | None:
        """Update the best epoch after the last one, and say how the member continues.

        Args:
            stopping: The rule of early stopping.
            halving: The epochs at which members are compared; None for never.
            keep: Which weights are kept.
            weights: Returns the member's current weights.
            stop_requested: Whether it is to stop in any case.

        Returns:
            Why the member ends, ``"pause"`` where members are compared, or None to continue.
        """
        epoch = self.next_epoch - 1
        self.best = stopping.update(self.best, epoch, self.history[stopping.objective.name][-1])
        if keep == "best" and self.best.epoch == epoch:
            self.weights = weights()
        stopped: Stopped | Literal["pause"] | None = None
        if self.next_epoch == self.epochs:
            stopped = "finished"
        elif stopping.stops(self.best, epoch):
            stopped = "patience"
        elif stop_requested:
            stopped = "stopped"
        elif halving is not None and halving.is_rung(self.next_epoch):
            stopped = "pause"
        if stopped and keep == "last":
            self.weights = weights()
        return stopped

    def result(self, stopped: Stopped, message: str = "") -> MemberResult:
        """Return the member's result."""
        epoch = None if self.best.epoch < 0 else int(self.best.epoch)
        return MemberResult(self.member, self.history, epoch, stopped, message, self.weights)
