"""The hyperparameters of a trial, shared out to its builder and its optimizer."""

from collections.abc import Mapping
from typing import Any

from tfcourse.search.config import optimizers
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.tables import ModelTable, TrainingTable
from tfcourse.types import Hyperparameters

__all__ = ["LEVELS", "builder_arguments", "hyperparameters_of", "optimizer_arguments"]

# The argument of a builder that gets the number of indices of each index column of a table: the
# ``input_dim`` of its ``Embedding``, by the column's name.
LEVELS = "levels"


def hyperparameters_of(
    model: ModelTable, training: TrainingTable, values: Hyperparameters
) -> dict[str, Any]:
    """Return all hyperparameters of a trial: the fixed ones of the tables, updated with its own."""
    return training.model_dump(exclude_none=True) | model.arguments | dict(values)


def builder_arguments(builder: Builder, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the hyperparameters that the builder takes."""
    return {
        name: value
        for name, value in hyperparameters.items()
        if name in builder.arguments
        or (builder.takes_any and name not in TrainingTable.model_fields)
    }


def optimizer_arguments(hyperparameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the optimizer's name and those of the trial's hyperparameters that it takes."""
    name = hyperparameters["optimizer"]
    names = [n for n in optimizers.ARGUMENTS[name] if n in hyperparameters]
    return name, {n: hyperparameters[n] for n in names}
