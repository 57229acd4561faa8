"""``[search.limits]``: the table and its checks."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ConfigDict, Field

from tfcourse.errors import one_of, shown
from tfcourse.hyperparameters import is_number
from tfcourse.search.config.table import Table
from tfcourse.search.records.objective import COSTS
from tfcourse.search.records.satisficing import Bound

__all__ = ["LimitsTable", "limits_problems"]


class LimitsTable(Table):
    """``[search.limits]``: what a trial must satisfy to be the best (course 6.1).

    Every other key is a metric or loss by its name in a history, with a table of
    ``min``, ``max`` or both: ``val_recall = { min = 0.95 }``. See
    `tfcourse.search.records.satisficing`.

    Attributes:
        parameters: The most parameters of a trial's model.
        seconds: The most seconds of a trial, with all of its trainings and what it compiles.
        milliseconds: The most milliseconds of a prediction for one example, see
            `tfcourse.search.trials.latency.latency`.
    """

    model_config = ConfigDict(extra="allow")
    parameters: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    milliseconds: float | None = Field(default=None, gt=0)

    @property
    def metrics(self) -> dict[str, Any]:
        """The value of each metric's key."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The limits, if `limits_problems` finds no error in them."""
        of_metrics = [Bound(name, e.get("min"), e.get("max")) for name, e in self.metrics.items()]
        costs = {name: getattr(self, name) for name in COSTS}
        of_costs = [Bound(name, most=most) for name, most in costs.items() if most is not None]
        return (*of_costs, *of_metrics)


def limits_problems(table: LimitsTable, metrics: Sequence[str], any_metric: bool) -> list[str]:
    """Return a line for each error in the limits on metrics.

    Args:
        table: The table.
        metrics: The names that a history has.
        any_metric: True if it may have others, which are not known yet.
    """
    lines = []
    for name, ends in table.metrics.items():
        where = f"[search.limits] {name}"
        if name not in metrics and not any_metric:
            lines.append(one_of("[search.limits]", name, [*COSTS, *metrics]))
        elif (
            not isinstance(ends, Mapping)
            or not ends
            or not {*ends} <= {"min", "max"}
            or not all(is_number(end) and math.isfinite(end) for end in ends.values())
        ):
            lines.append(
                f"{where} must be {{ min = number }}, {{ max = number }} or both. "
                f"Received: {shown(ends)}."
            )
        elif ends.get("min", -math.inf) > ends.get("max", math.inf):
            lines.append(f"{where} must have min <= max. Received: {shown(ends)}.")
    return lines
