"""The values that an argument of the builder, the optimizer or the training can have."""

import inspect
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from tfcourse.errors import one_of, shown
from tfcourse.hyperparameters import HYPERPARAMETERS, SCHEDULES
from tfcourse.models.build import BUILDERS
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.limits import LARGEST
from tfcourse.search.config.optimizers import ARGUMENTS, FLAGS
from tfcourse.search.config.tables import SpaceTable

__all__ = ["is_whole", "validate_argument"]


def validate_argument(name: str, value: Any, builder: Builder | None) -> str | None:
    """Return ``must be ... Received: ...`` if the argument ``name`` can't have the value."""
    if name == "optimizer" and not (builder is not None and builder.compiles):
        return None if value in ARGUMENTS else one_of("", value, ARGUMENTS).strip()
    if name == "schedule" and not _is_builders_own(name, builder):
        return None if value in SCHEDULES else one_of("", value, SCHEDULES).strip()
    if name in FLAGS and not _is_builders_own(name, builder):
        return (
            None if isinstance(value, bool) else f"must be true or false. Received: {shown(value)}."
        )
    if _is_tabulated(name, builder):
        hyperparameter = HYPERPARAMETERS[name]
        if not hyperparameter.admits(value):
            return f"must be {hyperparameter.admissible}. Received: {shown(value)}."
        largest = LARGEST.get(name, value)
        return None if value <= largest else f"must be <= {largest}. Received: {shown(value)}."
    argument = None if builder is None else builder.arguments.get(name)
    if argument is None or argument.annotation is inspect.Parameter.empty:
        return None
    annotation: Any = argument.annotation
    try:
        TypeAdapter(annotation, config=ConfigDict(strict=True)).validate_python(value)
    except PydanticUserError:  # pydantic does not know the annotation, and can't check it
        return None
    except ValidationError as error:
        demand = error.errors()[0]["msg"].replace("Input should be", "must be").replace("'", '"')
        return f"{demand}. Received: {shown(value)}."
    return None


def _is_tabulated(name: str, builder: Builder | None) -> bool:
    """Return True if the table of hyperparameters, and no builder of the user's, defines it."""
    return name in HYPERPARAMETERS and not _is_builders_own(name, builder)


def _is_builders_own(name: str, builder: Builder | None) -> bool:
    return builder is not None and builder.name not in BUILDERS and name in builder.arguments


def is_whole(name: str, table: SpaceTable, builder: Builder | None) -> bool:
    """Return True if the range has whole numbers only.

    It has if the argument takes no others, or, for an argument of unknown type, if low, high and
    step are whole. The type of an argument without annotation is float if its default is.
    """
    if _is_tabulated(name, builder):
        return HYPERPARAMETERS[name].kind is int
    if builder is not None and name in builder.arguments:
        argument = builder.arguments[name]
        if argument.annotation in (int, float):
            return argument.annotation is int
        if argument.annotation is inspect.Parameter.empty and isinstance(argument.default, float):
            return False
    return all(isinstance(v, int) for v in (table.low, table.high, table.step or 1))
