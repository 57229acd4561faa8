"""The progress bar of a population."""

import math
from typing import Any

import keras

from tfcourse.training.early_stopping import Objective

__all__ = ["ProgressBar"]


class ProgressBar:
    """Keras's progress bar over the epochs of all members.

    Args:
        epochs: The most epochs of all members, added up.
        verbose: As for ``model.fit``: 0 for none.
        objective: The objective that the members are compared by.
    """

    def __init__(self, epochs: int, verbose: int | str, objective: Objective) -> None:
        self.objective = objective
        self.epochs = 0
        self.best = math.nan
        self._bar: Any = None
        if verbose:
            self._bar = keras.utils.Progbar(
                epochs,
                verbose=1 if verbose == "auto" else verbose,
                stateful_metrics=[f"best {objective.name}"],
                unit_name="epoch",
            )

    def advance(self, epochs: int) -> None:
        """Count a number of epochs."""
        self.epochs += epochs

    def end(self, epochs: int, best: float) -> None:
        """Count the remaining epochs of a member that ended, and update the best objective."""
        self.epochs += epochs
        if self.objective.improves(best, self.best):
            self.best = best

    def show(self) -> None:
        """Draw the bar."""
        if self._bar is not None:
            best = [] if math.isnan(self.best) else [(f"best {self.objective.name}", self.best)]
            self._bar.update(self.epochs, best)
