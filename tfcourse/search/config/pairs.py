"""The checks of keys in one table of a config that depend on another table."""

from collections.abc import Mapping
from typing import Any

from tfcourse.search.config.objectives import objectives_problems
from tfcourse.search.config.outputs import objectives, training_outputs
from tfcourse.search.config.satisficing import limits_problems
from tfcourse.search.config.tables import SearchTable, TrainingTable
from tfcourse.search.config.weights import weight_problems

__all__ = ["problems_of_pairs"]


def problems_of_pairs(raw: object, parsed: Mapping[str, Any], any_metric: bool) -> list[str]:
    """Return a line for each error of keys in one table that depends on another table.

    Args:
        raw: The value of ``[search]``, in which keys may be wrong.
        parsed: The tables by name, None for those with errors.
        any_metric: True if the models may have metrics that are not known yet.
    """
    search: SearchTable | None = parsed["search"]
    training: TrainingTable | None = parsed["training"]
    problems = weight_problems(training, parsed["data"])
    if training is None:
        return problems
    outputs = training_outputs(training)
    problems += objectives_problems(raw, outputs, any_metric)
    if search is None or search.limits is None:
        return problems
    return problems + limits_problems(search.limits, objectives(outputs), any_metric)
