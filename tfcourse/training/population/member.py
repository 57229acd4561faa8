"""The members of a population, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tfcourse.errors import InputError, WorkFailedError
from tfcourse.training.early_stopping import Objective
from tfcourse.types import KerasModel

__all__ = ["Member", "MemberResult", "PopulationHistory", "Stopped"]

Stopped = Literal["finished", "patience", "halving", "not finite", "stopped"]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Member:
    """A member of a population: what sets it apart from the others.

    Attributes:
        seed: Initial weights, dropout and the order of the examples come from it: those of the
            model built after ``keras.utils.set_random_seed(seed)`` and trained with
            ``tfcourse.fit(..., seed=seed)``.
        hyperparameters: Values for the optimizer, such as ``{"learning_rate": 0.01}``, and
            ``"dropout"`` for the rate of all layers of `tfcourse.layers.dropout.Dropout`; those
            that are not named are the model's.
        epochs: How long it is trained; None for the population's.
    """

    seed: int
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    epochs: int | None = None


@dataclass(frozen=True)
class MemberResult:
    """A member at its end.

    Attributes:
        member: Whose result it is.
        history: The loss and metrics of every epoch, as a ``History`` has them; of a member whose
            loss became NaN up to that epoch.
        best_epoch: The epoch with the best objective, from 0; None if no epoch had a finite one.
        stopped: Why it ended: all epochs ``"finished"``, ``"patience"``, ``"halving"``,
            ``"not finite"``, or ``"stopped"`` by ``on_epoch_end``.
        message: For ``"not finite"``, what became NaN or infinite, and when.
        weights: As ``model.get_weights()`` gives them; None if there are none that are finite.
    """

    member: Member
    history: dict[str, list[float]]
    best_epoch: int | None
    stopped: Stopped
    message: str
    weights: list[Array] | None


@dataclass(frozen=True)
class PopulationHistory:
    """What `tfcourse.fit_population` gives.

    Attributes:
        results: One a member, in the order of the members.
        objective: What the members were compared by.
        slots: How many members were trained at a time.
        jit_compile: Whether XLA compiled the program.
        traces: How often a program was traced in this call: once for the training and once for
            the validation, and not at all if the population had been trained before.
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
            WorkFailedError: No member has had a finite objective.
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
        """A member's weights, as ``model.set_weights`` takes them.

        Raises:
            WorkFailedError: The member has had none that are finite.
        """
        kept = self.results[index].weights
        if kept is None:
            message = self.results[index].message
            raise WorkFailedError(f"Member {index} has no finite weights. {message}")
        return kept

    def assign(self, index: int, model: KerasModel) -> None:
        """Gives a model of the population's architecture a member's weights.

        Raises:
            InputError: The model is of another architecture.
            WorkFailedError: The member has had no weights that are finite.
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
