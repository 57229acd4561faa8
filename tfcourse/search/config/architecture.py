"""The architecture of a trial's model: those of its hyperparameters that need another program."""

import math
from collections.abc import Hashable, Mapping

from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.models.build import BUILDERS
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.schedules import TRAINING_ARGUMENTS
from tfcourse.search.space.parameters import Choice, Parameter
from tfcourse.types import Hyperparameters

__all__ = ["architecture_count", "architecture_of", "architectures", "is_builtin", "program_of"]

# Hyperparameters in variables of the optimizer, its schedule and the loss, and the number of times
# the program is called.
STATE = {
    "epochs",
    *TRAINING_ARGUMENTS,
    *(name for names in OPTIMIZER_ARGUMENTS.values() for name in names),
}


def architecture_of(values: Hyperparameters, builder: Builder) -> Hashable:
    """Return a key that the values of two trials share if one program can train both.

    It includes the batch size, which XLA and a population need to know.
    """
    shared = {
        # The rate of dropout is a variable; a rate of 0 adds no layer.
        name: bool(value) if _is_rate(name, builder) else value
        for name, value in values.items()
        if not _is_state(name, builder)
    }
    return tuple(sorted((name, repr(value)) for name, value in shared.items()))


def program_of(values: Hyperparameters, builder: Builder) -> Hashable:
    """Return `architecture_of` without the batch size, which a program without XLA may vary."""
    others = {n: v for n, v in values.items() if n != "batch_size" or n in builder.arguments}
    return architecture_of(others, builder)


def architectures(name: str, parameter: Parameter, builder: Builder) -> float:
    """Return the number of programs for the values of a parameter; inf for a continuous range."""
    if _is_rate(name, builder):
        choice = isinstance(parameter, Choice) and 0 in parameter.values
        return 2 if choice and parameter.count != 1 else 1
    if _is_state(name, builder):
        return 1
    return math.inf if parameter.count is None else parameter.count


def architecture_count(space: Mapping[str, Parameter], builder: Builder) -> float:
    """Return the number of programs for a space, conditions ignored; inf for continuous ranges."""
    return math.prod(architectures(name, parameter, builder) for name, parameter in space.items())


def is_builtin(builder: Builder) -> bool:
    """Return True for one of tfcourse's own builders."""
    return builder.function in BUILDERS.values()


def _is_rate(name: str, builder: Builder) -> bool:
    return name == "dropout" and is_builtin(builder)


def _is_state(name: str, builder: Builder) -> bool:
    return name in STATE and name not in builder.arguments
