"""The members of a population, and their results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.training.early_stopping import Objective
from tfcourse.types import Array, KerasModel

__all__ = ["Member", "MemberResult", "PopulationHistory", "Stopped"]

Stopped = Literal["finished", "patience", "halving", "not finite", "stopped"]


@dataclass(frozen=True)
class Member:
    """A member of a population, by what distinguishes it from the others.

    Attributes:
        seed: Initial weights, dropout and the order of the examples come from it: those of the
            model built after ``keras.utils.set_random_seed(seed)`` and trained with
            ``tfcourse.fit(..., seed=seed)``.
        hyperparameters: Values for the optimizer and its `TrainingSchedule`, such as
            ``{"learning_rate": 0.01}``; ``"dropout"`` for the rate of all layers of
            `tfcourse.layers.dropout.Dropout`; ``"label_smoothing"`` for a `SmoothedCrossentropy`
            in the training, while the validation has the model's. Those that are not named are
            the model's.
        epochs: The epochs that it is trained; None for the population's.
    """

    seed: int
    hyperparameters: Mapping[str, float | str] = field(default_factory=dict)
    epochs: int | None = None


@dataclass(frozen=True)
class MemberResult:
    """The result of a member.

    Attributes:
        member: The member.
        history: The loss and metrics of every epoch, as a ``History`` has them; of a member whose
            loss became NaN up to that epoch.
        best_epoch: The epoch with the best objective, from 0; None if no epoch had a finite one.
        stopped: The reason of its end: all epochs ``"finished"``, ``"patience"``, ``"halving"``,
            ``"not finite"``, or ``"stopped"`` by ``on_epoch_end``.
        message: For ``"not finite"``, the loss or weight that became NaN or infinite, and when.
        weights: As ``model.get_weights()`` returns them; None if there are none that are finite.
    """

    member: Member
    history: dict[str, list[float]]
    best_epoch: int | None
    stopped: Stopped
    message: str
    weights: list[Array] | None


@dataclass(frozen=True)
class PopulationHistory:
    """The results of `tfcourse.fit_population`.

    Attributes:
        results: One a member, in the order of the members.
        objective: The objective that the members were compared by.
        slots: The number of members that were trained at a time.
        jit_compile: Whether XLA compiled the program.
        traces: The number of traces of a program in this call: one for the training and one for
            the validation, and none if the population had been trained before.
    """

    results: Sequence[MemberResult]
    objective: Objective
    slots: int
    jit_compile: bool
    traces: int

    @property
    def best(self) -> int:
        """The member whose best epoch is the best of all.

        Raises:
            WorkFailedError: No member had a finite objective.
        """
        name = self.objective.name
        scores = {
            index: self.objective.sign * result.history[name][result.best_epoch]
            for index, result in enumerate(self.results)
            if result.best_epoch is not None
        }
        if not scores:
            raise WorkFailedError(f"No member has had a finite {name}. {self.results[0].message}")
        return max(scores, key=lambda index: scores[index])

    def weights(self, index: int) -> list[Array]:
        """Return a member's weights, as ``model.set_weights`` takes them.

        Raises:
            WorkFailedError: The member never had finite weights.
        """
        weights = self.results[index].weights
        if weights is None:
            message = self.results[index].message
            raise WorkFailedError(f"Member {index} has no finite weights. {message}")
        return weights

    def assign(self, index: int, model: KerasModel) -> None:
        """Set the weights of a model of the population's architecture to a member's.

        Raises:
            InputError: The model is of another architecture.
            WorkFailedError: The member never had finite weights.
        """
        weights = self.weights(index)
        shapes = [tuple(weight.shape) for weight in model.weights]
        expected = [np.shape(weight) for weight in weights]
        if shapes != expected:
            raise InputError(
                f"The model's weights have the shapes {shapes}, those of the population "
                f"{expected}. Pass a model that was built as the population's are."
            )
        model.set_weights(weights)
