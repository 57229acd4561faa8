"""What an argument of the builder, the optimizer or the training may be."""

import inspect
from collections.abc import Iterable
from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from tfcourse.errors import one_of, shown
from tfcourse.hyperparameters import HYPERPARAMETERS
from tfcourse.models.build import BUILDERS
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.limits import LARGEST
from tfcourse.search.config.optimizers import ARGUMENTS, FLAGS
from tfcourse.search.config.tables import SpaceTable

__all__ = ["inadmissible", "is_whole"]


def inadmissible(name: str, value: Any, builder: Builder | None) -> str | None:
    """``must be ... Received: ...`` if the argument ``name`` can't be ``value``."""
    if name == "optimizer" and not (builder is not None and builder.compiles):
        return None if value in ARGUMENTS else _named(value, ARGUMENTS)
    if name in FLAGS and not _is_own(name, builder):
        return (
            None if isinstance(value, bool) else f"must be true or false. Received: {shown(value)}."
        )
    if _is_ours(name, builder):
        hyperparameter = HYPERPARAMETERS[name]
        if not hyperparameter.admits(value):
            return f"must be {hyperparameter.admissible}. Received: {shown(value)}."
        most = LARGEST.get(name, value)
        return None if value <= most else f"must be <= {most}. Received: {shown(value)}."
    argument = None if builder is None else builder.arguments.get(name)
    if argument is None or argument.annotation is inspect.Parameter.empty:
        return None
    try:
        TypeAdapter(argument.annotation, config=ConfigDict(strict=True)).validate_python(value)
    except PydanticUserError:  # an annotation that pydantic knows nothing of: nothing to check
        return None
    except ValidationError as error:
        said = error.errors()[0]["msg"].replace("Input should be", "must be").replace("'", '"')
        return f"{said}. Received: {shown(value)}."
    return None


def _named(value: Any, known: Iterable[str]) -> str:
    return one_of("", value, known).strip()


def _is_ours(name: str, builder: Builder | None) -> bool:
    """Whether the course's table says what ``name`` may be, and not a builder of one's own."""
    return name in HYPERPARAMETERS and not _is_own(name, builder)


def _is_own(name: str, builder: Builder | None) -> bool:
    return builder is not None and builder.name not in BUILDERS and name in builder.arguments


def is_whole(name: str, table: SpaceTable, builder: Builder | None) -> bool:
    """Whole numbers if the argument takes them only, or if all that was written are whole.

    An argument without an annotation takes what its default is, if that is a float.
    """
    if _is_ours(name, builder):
        return HYPERPARAMETERS[name].kind is int
    if builder is not None and name in builder.arguments:
        argument = builder.arguments[name]
        if argument.annotation in (int, float):
            return argument.annotation is int
        if argument.annotation is inspect.Parameter.empty and isinstance(argument.default, float):
            return False
    return all(isinstance(v, int) for v in (table.low, table.high, table.step or 1))
