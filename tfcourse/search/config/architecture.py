"""What of a trial's values makes its model another one, and what is only state."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.models.build import BUILDERS
from tfcourse.search.config.builders import Builder
from tfcourse.search.space.parameters import Choice, Parameter

__all__ = ["architecture_of", "architectures", "is_ours", "program_of"]

# They are in variables of the optimizer, or say how often the program is called.
STATE = {"epochs", *(name for names in OPTIMIZER_ARGUMENTS.values() for name in names)}


def architecture_of(values: Mapping[str, Any], builder: Builder) -> Hashable:
    """What the values of two trials have in common if one program can train both.

    Trials of one batch size, that is: XLA, and a population, need to know it.
    """
    shared = {
        # Dropout's rate is a variable; 0 is no layer at all.
        name: bool(value) if _is_rate(name, builder) else value
        for name, value in values.items()
        if not _is_state(name, builder)
    }
    return tuple(sorted((name, repr(value)) for name, value in shared.items()))


def program_of(values: Mapping[str, Any], builder: Builder) -> Hashable:
    """`architecture_of` without the batch size: without XLA one program takes batches of any."""
    own = {n: v for n, v in values.items() if n != "batch_size" or n in builder.arguments}
    return architecture_of(own, builder)


def architectures(name: str, parameter: Parameter, builder: Builder) -> float:
    """How many programs the values of one parameter need; infinity for a continuous range."""
    if _is_rate(name, builder):
        choice = isinstance(parameter, Choice) and 0 in parameter.values
        return 2 if choice and parameter.count != 1 else 1
    if _is_state(name, builder):
        return 1
    return math.inf if parameter.count is None else parameter.count


def is_ours(builder: Builder) -> bool:
    """Whether the builder is one of tfcourse's."""
    return builder.function in BUILDERS.values()


def _is_rate(name: str, builder: Builder) -> bool:
    return name == "dropout" and is_ours(builder)


def _is_state(name: str, builder: Builder) -> bool:
    return name in STATE and name not in builder.arguments
