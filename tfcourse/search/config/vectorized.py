"""Why a search can't train its trials in populations, as far as the config says it."""

import math
from collections.abc import Mapping

from tfcourse.hyperparameters import OPTIMIZER_ARGUMENTS
from tfcourse.search.config.architecture import architectures
from tfcourse.search.config.builders import Builder
from tfcourse.search.config.tables import SearchTable, TrainingTable
from tfcourse.search.space.parameters import Choice, Parameter

__all__ = ["caviar_problems", "obstacles"]


def caviar_problems(
    search: SearchTable, training: TrainingTable, builder: Builder, space: Mapping[str, Parameter]
) -> list[str]:
    """A line for each reason why ``caviar = "population"``, if asked for, can't be had."""
    if search.caviar != "population":
        return []
    return [
        f'[search] caviar = "population" can\'t be had with {obstacle} Leave it out, or take '
        'caviar = "auto".'
        for obstacle in obstacles(search, training, builder, space)
    ]


def obstacles(
    search: SearchTable, training: TrainingTable, builder: Builder, space: Mapping[str, Parameter]
) -> list[str]:
    """What of a search no population can have, in words."""
    found = [
        f"[training] {name} = {value}: its members are trained once, on the same data."
        for name, value in (("folds", training.folds), ("repeats", training.repeats))
        if value > 1
    ]
    if search.trial_timeout is not None:
        found.append(
            f"[search] trial_timeout = {search.trial_timeout:g}: its members are trained together, "
            "and end together."
        )
    if not search.reuse_models:
        found.append("[search] reuse_models = 0: its members share a compiled program.")
    if builder.compiles:
        found.append(
            f'the builder "{builder.name}": it compiles its models itself, so that each trial\'s '
            "is another one."
        )
        return found
    chosen = space.get("optimizer")
    named = list(chosen.values) if isinstance(chosen, Choice) else []
    if not named or (chosen is not None and chosen.when):
        named.append(training.optimizer)
    found += [
        f'the optimizer "{name}", which is none of tfcourse\'s.'
        for name in named
        if name not in OPTIMIZER_ARGUMENTS
    ]
    found += [
        f"[space.{name}]: no two trials have the same value, and each value is another model."
        for name, parameter in space.items()
        if architectures(name, parameter, builder) == math.inf
    ]
    return found
